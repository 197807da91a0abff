/**
 * The timer of a local APIC: one-shot, periodic, or due at a value of the time-stamp counter.
 *
 * Intel SDM Vol. 3A §11.5.4, "APIC Timer"; §11.5.4.1, "TSC-Deadline Mode". It counts the bus clock, which is 1 GHz here:
 * one count per nanosecond at divisor 1.
 */
import type { Timeline } from "../timeline.ts";

const eventName = "timer";
/** Bits 18:17 of the timer's local vector table entry. */
const modeShift = 17;
const periodicMode = 1;
const deadlineMode = 2;

export interface ApicTimerOptions {
  readonly timeline: Timeline;
  /** Name of the APIC on the timeline. */
  readonly name: string;
  /** What the guest has added to the time-stamp counter, which otherwise is machine time. */
  readonly timestampOffset: () => bigint;
}

export class ApicTimer {
  readonly #timeline: Timeline;
  readonly #name: string;
  readonly #timestampOffset: () => bigint;
  #mode = 0;
  #divideConfiguration = 0;
  #initialCount = 0;
  /** Machine time at which the present count started. */
  #countStart = 0;
  /** Of the time-stamp counter; 0 while not armed. */
  #deadline = 0n;

  constructor({ timeline, name, timestampOffset }: ApicTimerOptions) {
    this.#timeline = timeline;
    this.#name = name;
    this.#timestampOffset = timestampOffset;
  }

  reset(): void {
    this.#mode = 0;
    this.#divideConfiguration = 0;
    this.#initialCount = 0;
    this.#deadline = 0n;
    this.#timeline.cancel(this.#name, eventName);
  }

  get initialCount(): number {
    return this.#initialCount;
  }

  /** Writing starts the count anew; 0 stops it. */
  set initialCount(count: number) {
    if (this.#mode === deadlineMode) return;
    this.#initialCount = count;
    this.#countStart = this.#timeline.now;
    this.#arm();
  }

  get currentCount(): number {
    if (this.#initialCount === 0) return 0;
    const passed = Math.floor((this.#timeline.now - this.#countStart) / this.#divisor);
    if (this.#mode === periodicMode) return this.#initialCount - (passed % this.#initialCount);
    return Math.max(0, this.#initialCount - passed);
  }

  get divideConfiguration(): number {
    return this.#divideConfiguration;
  }

  set divideConfiguration(value: number) {
    this.#keepingCount(() => {
      this.#divideConfiguration = value & 0b1011;
    });
  }

  /** IA32_TSC_DEADLINE: 0 when not armed, and in the other modes. */
  get deadline(): bigint {
    return this.#deadline;
  }

  set deadline(value: bigint) {
    if (this.#mode !== deadlineMode) return;
    this.#deadline = value;
    this.#arm();
  }

  /** The timer's local vector table entry was written. */
  setEntry(entry: number): void {
    const mode = (entry >> modeShift) & 3;
    const isDeadlineNow = mode === deadlineMode;
    if (isDeadlineNow !== (this.#mode === deadlineMode)) {
      // Changing to or from deadline mode disarms.
      this.#initialCount = 0;
      this.#deadline = 0n;
    }
    this.#keepingCount(() => {
      this.#mode = mode;
    });
  }

  /** It is due; the next period begins. */
  onEvent(): void {
    if (this.#mode === deadlineMode) this.#deadline = 0n;
    else if (this.#mode === periodicMode) {
      this.#countStart += this.#initialCount * this.#divisor;
      this.#arm();
    }
  }

  /** "Divide Configuration Register": bits 3, 1 and 0 select 2, 4, 8, 16, 32, 64, 128 and 1. */
  get #divisor(): number {
    const selector = (this.#divideConfiguration & 3) | ((this.#divideConfiguration & 8) >> 1);
    return selector === 7 ? 1 : 2 << selector;
  }

  /** A change of divisor or mode lets the count go on from where it is. */
  #keepingCount(change: () => void): void {
    const left = this.currentCount;
    change();
    this.#countStart = this.#timeline.now - (this.#initialCount - left) * this.#divisor;
    if (left > 0 || this.#initialCount === 0) this.#arm();
  }

  #arm(): void {
    const at = this.#mode === deadlineMode ? this.#deadlineTime() : this.#countTime();
    if (at === undefined) this.#timeline.cancel(this.#name, eventName);
    else this.#timeline.schedule(this.#name, eventName, at);
  }

  #countTime(): number | undefined {
    if (this.#initialCount === 0) return undefined;
    return this.#countStart + this.#initialCount * this.#divisor;
  }

  /** Machine time of the deadline; a deadline that has passed is due at once. */
  #deadlineTime(): number | undefined {
    if (this.#deadline === 0n) return undefined;
    const { now } = this.#timeline;
    const left = this.#deadline - BigInt.asUintN(64, BigInt(now) + this.#timestampOffset());
    // Beyond what machine time can count to, nothing happens any more.
    if (left > BigInt(Number.MAX_SAFE_INTEGER - now)) return undefined;
    return left <= 0n ? now : now + Number(left);
  }
}
