/**
 * What a processor sees of the interrupt controllers: one request line and one acknowledge.
 *
 * Joins the 8259 pair and the local APIC as a PC does: INTR of the pair enters the APIC at LINT0.
 */
import type { InterruptSource } from "@ringside/isa";
import type { Timeline } from "../timeline.ts";
import { LocalApic } from "./local-apic.ts";
import { Pic } from "./pic.ts";

const apicBaseMsr = 0x1b;

export interface ProcessorPins {
  /** INTR: level. */
  setInterruptRequest(asserted: boolean): void;
  /** NMI: an edge. */
  requestNmi(): void;
}

export class InterruptController implements InterruptSource {
  readonly pic: Pic;
  readonly apic: LocalApic;
  /** The processor behind; set once it exists. */
  pins: ProcessorPins | undefined;

  constructor(timeline: Timeline) {
    const update = (): void => this.#update();
    this.pic = new Pic(update);
    this.apic = new LocalApic(timeline, {
      onChange: update,
      onNmi: () => this.pins?.requestNmi(),
    });
  }

  get isPending(): boolean {
    return this.apic.isPending || (this.pic.output && this.apic.passesExternal);
  }

  acknowledge(): number {
    if (this.apic.isPending) return this.apic.acknowledge();
    if (this.apic.passesExternal) return this.pic.acknowledge();
    return this.apic.acknowledge();
  }

  readTaskPriority(): number {
    return this.apic.readTaskPriority();
  }

  writeTaskPriority(value: number): void {
    this.apic.writeTaskPriority(value);
  }

  readMsr(index: number): bigint | undefined {
    return index === apicBaseMsr ? this.apic.readBaseMsr() : undefined;
  }

  writeMsr(index: number, value: bigint): boolean {
    return index === apicBaseMsr && this.apic.writeBaseMsr(value);
  }

  reset(): void {
    this.pic.reset();
    this.apic.reset();
    this.#update();
  }

  #update(): void {
    this.pins?.setInterruptRequest(this.isPending);
  }
}
