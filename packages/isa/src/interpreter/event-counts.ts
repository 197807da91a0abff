/**
 * How often events were delivered: by vector in arrays, since each exception and interrupt passes here, the rest by name.
 */
import type { MonitorEvent } from "../exceptions/monitor.ts";

/** Groups that are counted by vector, as their names begin. */
const GROUPS = [
  "exceptions",
  "interrupts",
  "monitor.exceptions",
  "monitor.software-interrupts",
] as const;
type Group = (typeof GROUPS)[number];

const VECTORS = 256;

/** Names of the monitor events that have no vector. */
const MONITOR_NAMES = {
  interrupt: "monitor.interrupt",
  nmi: "monitor.nmi",
  syscall: "monitor.syscall",
  sysenter: "monitor.sysenter",
  "call-gate": "monitor.call-gate",
} as const;

export class EventCounts {
  readonly #byVector: Readonly<Record<Group, Float64Array>> = {
    exceptions: new Float64Array(VECTORS),
    interrupts: new Float64Array(VECTORS),
    "monitor.exceptions": new Float64Array(VECTORS),
    "monitor.software-interrupts": new Float64Array(VECTORS),
  };
  readonly #byName = new Map<string, number>();

  addVector(group: Group, vector: number): void {
    const counts = this.#byVector[group];
    counts[vector] = (counts[vector] ?? 0) + 1;
  }

  /** Names are constants: nothing is built for an event. */
  addName(name: string): void {
    this.#byName.set(name, (this.#byName.get(name) ?? 0) + 1);
  }

  addMonitorEvent(event: MonitorEvent): void {
    if (event.kind === "exception") this.addVector("monitor.exceptions", event.vector);
    else if (event.kind === "software-interrupt") {
      this.addVector("monitor.software-interrupts", event.vector);
    } else this.addName(MONITOR_NAMES[event.kind]);
  }

  /** Writes what was counted at least once, by dotted name. */
  write(into: Record<string, number>): void {
    for (const group of GROUPS) {
      const counts = this.#byVector[group];
      for (let vector = 0; vector < VECTORS; vector += 1) {
        const count = counts[vector] ?? 0;
        if (count > 0) into[`${group}.${vector}`] = count;
      }
    }
    for (const [name, count] of this.#byName) into[name] = count;
  }
}
