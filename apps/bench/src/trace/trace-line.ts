/**
 * The lines of a trace. Programs read them too, so their form is documented (docs/boot.md) and tested.
 */
import { disassemble } from "@ringside/isa";
import type { Registers, TraceEvent } from "@ringside/strategy";
import type { ExecutedInstruction } from "../lockstep/lockstep.ts";

const encodedColumns = 32;
const textColumns = 40;
/** What each instruction changes, and a reader knows anyway. */
const unsaid: ReadonlySet<string> = new Set(["rip"]);

/** `        123 0 ffffffff81000000  48 89 e5                          mov rbp, rsp    ; rbp=...`, without an end. */
export function instructionLine(
  units: number,
  { rip, bytes, mode }: ExecutedInstruction,
  before: Registers,
  after: Registers,
): string {
  const encoded = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const [line] = disassemble(bytes, { address: rip, mode });
  const text = line?.text ?? "(nothing is mapped here)";
  const place = `${String(units).padStart(12)} ${before["cpl"] ?? 0n} ${hex(rip)}`;
  const changes = changedRegisters(before, after);
  const start = `${place}  ${encoded.padEnd(encodedColumns)}  `;
  return changes === "" ? `${start}${text}` : `${start}${text.padEnd(textColumns)}; ${changes}`;
}

function changedRegisters(before: Registers, after: Registers): string {
  return Object.entries(after)
    .filter(([name, value]) => value !== before[name] && !unsaid.has(name))
    .map(([name, value]) => `${name}=${value.toString(16)}`)
    .join(" ");
}

/** `        123 ! exception 14 error 2 address 7ffe00000000 at ffffffff81000000`, without an end. */
export function eventLine(event: TraceEvent, rip: bigint | undefined): string {
  const at = rip === undefined ? "" : ` at ${rip.toString(16)}`;
  return `${String(event.units).padStart(12)} ! ${eventText(event)}${at}`;
}

function eventText(event: TraceEvent): string {
  switch (event.type) {
    case "delivery": {
      const error = event.errorCode === undefined ? "" : ` error ${event.errorCode.toString(16)}`;
      const address = event.linear === undefined ? "" : ` address ${event.linear.toString(16)}`;
      return `${event.kind} ${event.vector}${error}${address}`;
    }
    case "mark":
      return `mark ${event.id}`;
    case "monitor-entry":
      return `monitor-entry ${event.why}`;
    case "state":
      return `state ${event.from} ${event.to}`;
    case "system-call":
      return `system-call ${event.name} of ${event.process}`;
  }
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, "0");
}
