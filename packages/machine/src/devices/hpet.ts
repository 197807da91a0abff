/**
 * The high precision event timer: a counter of 100 MHz and three comparators.
 *
 * IA-PC HPET Specification 1.0a, section 2.3, "Timer Register Space". Timer 0 can be periodic. In legacy replacement mode
 * timer 0 has the line of the 8254 and timer 1 that of the clock; else each has the I/O APIC pin that it is told.
 *
 * Differs from the specification: interrupts are edges (level-triggered mode is not offered), and messages (FSB) do not exist.
 */
import type { MmioRegion } from "@ringside/isa";
import { clockLine, hpetBase } from "../platform.ts";
import type { Timeline } from "../timeline.ts";

const nanosecondsPerTick = 10n;
const femtosecondsPerTick = 10_000_000;
const timerCount = 3;
/** I/O APIC pins that no line of a PC uses. */
const routes = 0x00f0_0000;

/** General configuration. */
const enabled = 1;
const legacy = 2;

/** Timer configuration. */
const interruptEnabled = 0x04;
const periodic = 0x08;
const periodicCapable = 0x10;
const wideCapable = 0x20;
const setsValue = 0x40;
const narrow = 0x100;
const writable = interruptEnabled | periodic | narrow | 0x3e00;

const all64 = (1n << 64n) - 1n;
const all32 = (1n << 32n) - 1n;

export interface HpetLines {
  /** An edge on a line of the PC. */
  readonly pulseLine: (line: number) => void;
  /** An edge on a pin of the I/O APIC. */
  readonly pulsePin: (pin: number) => void;
  /** Whether the lines that it may replace are its own now. */
  readonly onLegacy: (isReplaced: boolean) => void;
}

class Comparator {
  configuration = 0;
  value = all64;
  period = 0n;
}

export class Hpet implements MmioRegion {
  readonly name = "hpet";
  readonly base: number = hpetBase;
  readonly sizeBytes = 4096;
  readonly #timeline: Timeline;
  readonly #lines: HpetLines;
  #configuration = 0;
  /** The counter while it stands, else its value at machine time 0. */
  #offset = 0n;
  readonly #timers: readonly Comparator[] = Array.from(
    { length: timerCount },
    () => new Comparator(),
  );

  constructor(timeline: Timeline, lines: HpetLines) {
    this.#timeline = timeline;
    this.#lines = lines;
  }

  reset(): void {
    this.#setConfiguration(0);
    this.#offset = 0n;
    for (const timer of this.#timers) {
      timer.configuration = 0;
      timer.value = all64;
      timer.period = 0n;
    }
    this.#rearm();
  }

  /** The pin, or the line of the PC, that an event would pulse; undefined when its timer may not interrupt. */
  target(event: string): { readonly pin: number } | { readonly line: number } | undefined {
    const index = Number(event);
    const configuration = this.#timers[index]?.configuration ?? 0;
    if ((configuration & interruptEnabled) === 0) return undefined;
    if ((this.#configuration & legacy) !== 0 && index < 2)
      return { line: index === 0 ? 0 : clockLine };
    const pin = (configuration >> 9) & 31;
    return ((routes >>> pin) & 1) === 0 ? undefined : { pin };
  }

  onEvent(event: string): void {
    const target = this.target(event);
    const index = Number(event);
    const timer = this.#timers[index];
    if (timer === undefined) return;
    const bits = width(timer);
    const period = BigInt.asUintN(bits, timer.period);
    if ((timer.configuration & periodic) !== 0 && period > 0n) {
      // Whoever owns the board may be late by several periods: what was missed is one interrupt.
      const late = BigInt.asUintN(bits, this.#counter - timer.value);
      timer.value = BigInt.asUintN(64, timer.value + (late / period + 1n) * period);
    }
    this.#arm(index, true);
    if (target === undefined) return;
    if ("line" in target) this.#lines.pulseLine(target.line);
    else this.#lines.pulsePin(target.pin);
  }

  read(offset: number, sizeBytes: 1 | 2 | 4): number {
    const word = this.#readRegister(offset & ~7);
    const half = Number((offset & 4) === 0 ? word & all32 : word >> 32n);
    return sizeBytes === 4 ? half : (half >>> (8 * (offset & 3))) & (2 ** (8 * sizeBytes) - 1);
  }

  /** Takes aligned 32-bit writes; smaller ones are not defined by the specification and lost. */
  write(offset: number, sizeBytes: 1 | 2 | 4, value: number): void {
    if (sizeBytes !== 4 || (offset & 3) !== 0) return;
    const register = offset & ~7;
    const isHigh = (offset & 4) !== 0;
    const old = this.#readRegister(register);
    const half = BigInt(value >>> 0);
    const next = isHigh ? (old & all32) | (half << 32n) : (old & ~all32) | half;
    this.#writeRegister(register, next, isHigh);
  }

  get #counter(): bigint {
    if ((this.#configuration & enabled) === 0) return this.#offset;
    return BigInt.asUintN(64, this.#offset + BigInt(this.#timeline.now) / nanosecondsPerTick);
  }

  #readRegister(offset: number): bigint {
    if (offset >= 0x100) {
      const timer = this.#timers[(offset - 0x100) >> 5];
      if (timer === undefined) return 0n;
      switch (offset & 0x18) {
        case 0: {
          const capabilities = wideCapable | (timer === this.#timers[0] ? periodicCapable : 0);
          return (BigInt(routes) << 32n) | BigInt(timer.configuration | capabilities);
        }
        case 8:
          return timer.value;
        default:
          return 0n;
      }
    }
    switch (offset) {
      case 0x00: // Capabilities: period, vendor, legacy routes, 64 bits, number of timers, revision.
        return (BigInt(femtosecondsPerTick) << 32n) | 0x8086_a001n | BigInt((timerCount - 1) << 8);
      case 0x10:
        return BigInt(this.#configuration);
      case 0xf0:
        return this.#counter;
      default: // Interrupt status is for level-triggered interrupts only.
        return 0n;
    }
  }

  #writeRegister(offset: number, value: bigint, isHigh: boolean): void {
    if (offset >= 0x100) {
      const index = (offset - 0x100) >> 5;
      const timer = this.#timers[index];
      if (timer === undefined) return;
      if ((offset & 0x18) === 0 && !isHigh) configure(timer, Number(value & all32), index === 0);
      else if ((offset & 0x18) === 8) setComparator(timer, value);
      this.#arm(index);
    } else if (offset === 0x10 && !isHigh) {
      this.#setConfiguration(Number(value & 3n));
      this.#rearm();
    } else if (offset === 0xf0 && (this.#configuration & enabled) === 0) {
      this.#offset = value;
    }
  }

  #setConfiguration(next: number): void {
    const counter = this.#counter;
    this.#configuration = next;
    const now = (next & enabled) === 0 ? 0n : BigInt(this.#timeline.now) / nanosecondsPerTick;
    this.#offset = BigInt.asUintN(64, counter - now);
    this.#lines.onLegacy((next & legacy) !== 0);
  }

  #rearm(): void {
    for (const index of this.#timers.keys()) this.#arm(index);
  }

  /** @param isMatched The comparator equals the counter now: the next match is a whole round away. */
  #arm(index: number, isMatched = false): void {
    const timer = this.#timers[index];
    if (timer === undefined) return;
    const isArmed =
      (this.#configuration & enabled) !== 0 && (timer.configuration & interruptEnabled) !== 0;
    const bits = width(timer);
    const counter = this.#counter;
    let ticks = BigInt.asUintN(bits, timer.value - counter);
    if (ticks === 0n && isMatched) ticks = 1n << BigInt(bits);
    // Beyond what machine time can count to, nothing happens any more.
    if (!isArmed || ticks > 1n << 48n) {
      this.#timeline.cancel(this.name, String(index));
      return;
    }
    const at = BigInt(this.#timeline.now) / nanosecondsPerTick + ticks;
    this.#timeline.schedule(this.name, String(index), Number(at * nanosecondsPerTick));
  }
}

function width(timer: Comparator): 32 | 64 {
  return (timer.configuration & narrow) === 0 ? 64 : 32;
}

function configure(timer: Comparator, value: number, canBePeriodic: boolean): void {
  const next = value & (canBePeriodic ? writable : writable & ~periodic);
  timer.configuration = next | (value & (canBePeriodic ? setsValue : 0));
}

/** Section 2.3.9.2.2, "Periodic Mode": the write after one that sets Tn_VAL_SET_CNF sets the value, others the period. */
function setComparator(timer: Comparator, value: bigint): void {
  const isPeriodic = (timer.configuration & periodic) !== 0;
  if (!isPeriodic || (timer.configuration & setsValue) !== 0) timer.value = value;
  if (isPeriodic) timer.period = value;
  timer.configuration &= ~setsValue;
}
