/** A set of signals 1 to 64 as two 32-bit halves: sigset_t without 64-bit integers. */
import { LAST_SIGNAL, SIGKILL, SIGSTOP } from "../abi/signals.ts";

export class SignalSet {
  /** Bit n - 1 is signal n. */
  low: number;
  /** Bit n - 33 is signal n. */
  high: number;

  constructor(low: number = 0, high: number = 0) {
    this.low = low;
    this.high = high;
  }

  has(signal: number): boolean {
    return signal <= 32
      ? (this.low & (1 << (signal - 1))) !== 0
      : (this.high & (1 << (signal - 33))) !== 0;
  }

  add(signal: number): void {
    if (signal <= 32) this.low |= 1 << (signal - 1);
    else this.high |= 1 << (signal - 33);
  }

  delete(signal: number): void {
    if (signal <= 32) this.low &= ~(1 << (signal - 1));
    else this.high &= ~(1 << (signal - 33));
  }

  get isEmpty(): boolean {
    return this.low === 0 && this.high === 0;
  }

  copy(): SignalSet {
    return new SignalSet(this.low, this.high);
  }

  assign(other: SignalSet): void {
    this.low = other.low;
    this.high = other.high;
  }

  addAll(other: SignalSet): void {
    this.low |= other.low;
    this.high |= other.high;
  }

  deleteAll(other: SignalSet): void {
    this.low &= ~other.low;
    this.high &= ~other.high;
  }

  /** Drops the two signals that nobody can block. */
  withoutUnblockable(): SignalSet {
    this.delete(SIGKILL);
    this.delete(SIGSTOP);
    return this;
  }

  /** Lowest signal that is in this set and not in `without`, or 0. */
  firstNotIn(without: SignalSet): number {
    const low = this.low & ~without.low;
    if (low !== 0) return 32 - Math.clz32(low & -low);
    const high = this.high & ~without.high;
    return high === 0 ? 0 : 64 - Math.clz32(high & -high);
  }
}

/** Whether `signal` is a signal's number. */
export function isSignal(signal: number): boolean {
  return signal >= 1 && signal <= LAST_SIGNAL;
}
