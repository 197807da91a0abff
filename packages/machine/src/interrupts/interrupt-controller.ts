/**
 * What a processor sees of the interrupt controllers: one request line and one acknowledge.
 *
 * Joins them as a PC does: INTR of the 8259 pair enters the local APIC at LINT0, and each interrupt line goes to the pair
 * and to the I/O APIC, where there is one.
 */
import type { InterruptSource } from "@ringside/isa";
import type { Timeline } from "../timeline.ts";
import { messageOf } from "./interrupt-message.ts";
import { IoApic } from "./io-apic.ts";
import { LocalApic } from "./local-apic.ts";
import { Pic } from "./pic.ts";

const timerLine = 0;
/** The pair's INTR takes pin 0 of the I/O APIC, so the timer is on pin 2, where the pair has its cascade. */
const timerPin = 2;

export interface ProcessorPins {
  /** INTR: level. */
  setInterruptRequest(asserted: boolean): void;
  /** NMI: an edge. */
  requestNmi(): void;
  /** What the guest has added to the time-stamp counter, which otherwise is machine time; 0 without it. */
  timestampOffset?(): bigint;
}

export class InterruptController implements InterruptSource {
  readonly pic: Pic;
  readonly apic: LocalApic;
  readonly ioApic: IoApic | undefined;
  /** The processor behind; set once it exists. */
  pins: ProcessorPins | undefined;

  /** @param hasIoApic Whether there is an I/O APIC. */
  constructor(timeline: Timeline, hasIoApic = false) {
    const update = (): void => this.#update();
    this.pic = new Pic(update);
    this.apic = new LocalApic(timeline, {
      onChange: update,
      onNmi: () => this.pins?.requestNmi(),
      timestampOffset: () => this.pins?.timestampOffset?.() ?? 0n,
      onEndOfInterrupt: (vector) => this.ioApic?.endOfInterrupt(vector),
    });
    this.ioApic = hasIoApic ? new IoApic((message) => this.apic.accept(message)) : undefined;
  }

  /** Level of one of the 16 interrupt lines of a PC, at all controllers that it is wired to. */
  setLine(line: number, level: boolean): void {
    this.pic.setLine(line, level);
    this.ioApic?.setPin(line === timerLine ? timerPin : line, level);
  }

  /** Sets which lines of the 8259 pair are level-triggered, as firmware does for the lines that devices share. */
  setLevelTriggered(lines: readonly number[]): void {
    const mask = lines.reduce((bits, line) => bits | (1 << line), 0);
    this.pic.writePort(0x4d0, 1, mask & 0xff);
    this.pic.writePort(0x4d1, 1, mask >> 8);
  }

  /** True when a line that rises would interrupt the processor, if that listens. */
  isOpen(line: number): boolean {
    if (this.apic.passesExternal && this.pic.isOpen(line)) return true;
    return this.ioApic?.isOpen(line === timerLine ? timerPin : line) ?? false;
  }

  /** A device writes `data` to an address in the range of interrupt messages (MSI). */
  sendMessage(physical: number, data: number): void {
    this.apic.accept(messageOf(physical, data));
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
    return this.apic.readMsr(index);
  }

  writeMsr(index: number, value: bigint): boolean | undefined {
    return this.apic.writeMsr(index, value);
  }

  reset(): void {
    this.pic.reset();
    this.apic.reset();
    this.ioApic?.reset();
    this.#update();
  }

  #update(): void {
    this.pins?.setInterruptRequest(this.isPending);
  }
}
