/**
 * The 8254 interval timer of a PC: three counters of 1.193182 MHz, and port 0x61 beside them.
 *
 * Intel 82C54 data sheet (order number 231244), "Programming the 82C54", "Mode Definitions"; Intel 82371SB
 * (PIIX3) data sheet, "NMI Status and Control Register" for port 0x61. Counter 0 drives interrupt line 0,
 * counter 2 the speaker, whose gate and output are in port 0x61.
 *
 * Counters are not stepped: each holds when its count started, and all else follows from machine time.
 */
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";
import type { Timeline } from "../timeline.ts";

/** Input clock of the counters in Hz. */
export const pitHertz = 1_193_182;

const nanosecondsPerSecond = 1_000_000_000;

/** Whole cycles of the input clock in `nanoseconds`. Exact for centuries: the two parts stay below 2^53. */
export function pitTicks(nanoseconds: number): number {
  const seconds = Math.floor(nanoseconds / nanosecondsPerSecond);
  const rest = nanoseconds - seconds * nanosecondsPerSecond;
  return seconds * pitHertz + Math.floor((rest * pitHertz) / nanosecondsPerSecond);
}

/** The first nanosecond at which `ticks` cycles have passed. */
export function pitNanoseconds(ticks: number): number {
  const seconds = Math.floor(ticks / pitHertz);
  const rest = ticks - seconds * pitHertz;
  return seconds * nanosecondsPerSecond + Math.ceil((rest * nanosecondsPerSecond) / pitHertz);
}

/** Read/write field of the control word: 1 low byte, 2 high byte, 3 low then high. */
type Bytes = 1 | 2 | 3;

class Counter {
  mode = 0;
  /** The mode as the control word had it: modes 6 and 7 are 2 and 3. */
  #writtenMode = 0;
  bytes: Bytes = 3;
  bcd = false;
  gate: boolean;
  /** The count written, 1 to 65536 (10000 in BCD). */
  reload = 65536;
  /** Cycle at which the present count started, or undefined before a count was loaded (or triggered). */
  start: number | undefined;
  /** Cycles that had passed when the gate stopped the count. */
  stoppedAfter: number | undefined;
  #latch: number | undefined;
  #statusLatch: number | undefined;
  #readHigh = false;
  #writeLow: number | undefined;
  #nullCount = true;

  constructor(gate: boolean) {
    this.gate = gate;
  }

  /** "Control Word Format". */
  program(mode: number, bytes: Bytes, bcd: boolean): void {
    this.#writtenMode = mode;
    this.mode = mode > 5 ? mode - 4 : mode; // Bit 2 is ignored in modes 2 and 3.
    this.bytes = bytes;
    this.bcd = bcd;
    this.start = undefined;
    this.stoppedAfter = undefined;
    this.#latch = undefined;
    this.#statusLatch = undefined;
    this.#readHigh = false;
    this.#writeLow = undefined;
    this.#nullCount = true;
  }

  /** Cycles since the count started. */
  passed(now: number): number {
    if (this.stoppedAfter !== undefined) return this.stoppedAfter;
    return this.start === undefined ? 0 : now - this.start;
  }

  /** The counting element as reads show it. */
  count(now: number): number {
    const wrap = this.bcd ? 10_000 : 65_536;
    if (this.start === undefined && this.stoppedAfter === undefined) return this.reload % wrap;
    const passed = this.passed(now);
    switch (this.mode) {
      case 2:
        return (this.reload - (passed % this.reload)) % wrap;
      case 3: {
        // Counts down by two, twice per period; an odd count spends its extra cycle in the high half.
        const even = this.reload & ~1;
        const at = passed % this.reload;
        const half = Math.ceil(this.reload / 2);
        const inHalf = at < half ? at : at - half;
        return Math.max(even - 2 * inHalf, 0) % wrap;
      }
      default: {
        const value = (this.reload - passed) % wrap;
        return value < 0 ? value + wrap : value;
      }
    }
  }

  output(now: number): boolean {
    const passed = this.passed(now);
    const counting = this.start !== undefined || this.stoppedAfter !== undefined;
    switch (this.mode) {
      case 0:
        return counting && passed >= this.reload;
      case 1:
        return !counting || passed >= this.reload;
      case 2:
        return !counting || !this.gate || passed % this.reload !== this.reload - 1;
      case 3:
        return !counting || !this.gate || passed % this.reload < Math.ceil(this.reload / 2);
      default: // 4 and 5: low for the one cycle in which the count ends.
        return !counting || passed !== this.reload;
    }
  }

  /** Cycle of the next change of the output after `now`, or undefined. */
  nextChange(now: number): number | undefined {
    const { start, reload } = this;
    if (start === undefined || this.stoppedAfter !== undefined) return undefined;
    const passed = now - start;
    const period = passed - (passed % reload);
    switch (this.mode) {
      case 0:
      case 1:
        return passed < reload ? start + reload : undefined;
      case 2: {
        const low = period + reload - 1;
        return start + (passed < low ? low : period + reload);
      }
      case 3: {
        const half = period + Math.ceil(reload / 2);
        return start + (passed < half ? half : period + reload);
      }
      default:
        if (passed < reload) return start + reload;
        return passed === reload ? start + reload + 1 : undefined;
    }
  }

  setGate(level: boolean, now: number): void {
    if (level === this.gate) return;
    this.gate = level;
    const rises = level;
    switch (this.mode) {
      case 0:
      case 4:
        // The gate enables counting and loses nothing.
        if (rises) {
          if (this.stoppedAfter !== undefined) this.start = now - this.stoppedAfter;
          this.stoppedAfter = undefined;
        } else if (this.start !== undefined) {
          this.stoppedAfter = now - this.start;
        }
        break;
      case 2:
      case 3:
        if (rises) {
          if (this.#isLoaded) this.start = now;
          this.stoppedAfter = undefined;
        } else if (this.start !== undefined) {
          this.stoppedAfter = now - this.start;
        }
        break;
      default:
        // 1 and 5: a rise triggers, the level does not matter.
        if (rises && this.#isLoaded) this.start = now;
    }
  }

  get #isLoaded(): boolean {
    return !this.#nullCount || this.start !== undefined;
  }

  write(value: number, now: number): void {
    if (this.bytes === 1) this.#load(value, now);
    else if (this.bytes === 2) this.#load(value << 8, now);
    else if (this.#writeLow === undefined) {
      this.#writeLow = value;
      if (this.mode === 0) {
        // "Writing the first byte disables counting" in mode 0.
        this.start = undefined;
        this.stoppedAfter = undefined;
      }
    } else {
      const low = this.#writeLow;
      this.#writeLow = undefined;
      this.#load((value << 8) | low, now);
    }
  }

  #load(written: number, now: number): void {
    const value = this.bcd ? fromBcd(written) : written;
    const reload = value === 0 ? (this.bcd ? 10_000 : 65_536) : value;
    const wasCounting = this.start !== undefined;
    const passed = this.passed(now);
    this.#nullCount = false;
    switch (this.mode) {
      case 0:
      case 2:
      case 3:
      case 4:
        // Differs from the 82C54: in modes 2 and 3 the period under way starts over instead of ending first.
        this.reload = reload;
        this.start = this.gate ? now : undefined;
        this.stoppedAfter = this.gate ? undefined : 0;
        break;
      default:
        // 1 and 5 wait for a trigger; a count under way goes on with its old value.
        if (wasCounting && passed < this.reload) break;
        this.reload = reload;
    }
  }

  latchCount(now: number): void {
    this.#latch ??= this.#shown(now);
  }

  /** "Read-Back Command": status byte, with the mode "exactly as written". */
  latchStatus(now: number): void {
    this.#statusLatch ??=
      (this.output(now) ? 0x80 : 0) |
      (this.#nullCount ? 0x40 : 0) |
      (this.bytes << 4) |
      (this.#writtenMode << 1) |
      Number(this.bcd);
  }

  read(now: number): number {
    if (this.#statusLatch !== undefined) {
      const status = this.#statusLatch;
      this.#statusLatch = undefined;
      return status;
    }
    const value = this.#latch ?? this.#shown(now);
    const high = this.bytes === 2 || (this.bytes === 3 && this.#readHigh);
    if (this.bytes === 3) this.#readHigh = !this.#readHigh;
    if (this.bytes !== 3 || !this.#readHigh) this.#latch = undefined;
    return (high ? value >> 8 : value) & 0xff;
  }

  #shown(now: number): number {
    const count = this.count(now);
    return this.bcd ? toBcd(count) : count;
  }
}

function fromBcd(value: number): number {
  return (
    (value & 15) +
    10 * ((value >> 4) & 15) +
    100 * ((value >> 8) & 15) +
    1000 * ((value >> 12) & 15)
  );
}

function toBcd(value: number): number {
  return (
    (value % 10) |
    ((Math.floor(value / 10) % 10) << 4) |
    ((Math.floor(value / 100) % 10) << 8) |
    ((Math.floor(value / 1000) % 10) << 12)
  );
}

export class Pit implements PortDevice {
  readonly name = "pit";
  readonly ports: readonly PortRange[] = [
    { base: 0x40, count: 4, widthBytes: 1 },
    { base: 0x61, count: 1, widthBytes: 1 },
  ];
  readonly #timeline: Timeline;
  readonly #setLine: (level: boolean) => void;
  #counters: readonly [Counter, Counter, Counter] = powerUp();
  /** Port 0x61 bits 1:0: speaker data, gate of counter 2. */
  #control = 0;

  /** @param setLine Sets interrupt line 0. */
  constructor(timeline: Timeline, setLine: (level: boolean) => void) {
    this.#timeline = timeline;
    this.#setLine = setLine;
  }

  reset(): void {
    this.#counters = powerUp();
    this.#control = 0;
    this.#update();
  }

  readPort(port: number, _sizeBytes: AccessBytes): number {
    const now = this.#ticks;
    switch (port) {
      case 0x40:
      case 0x41:
      case 0x42:
        return this.#counter(port - 0x40).read(now);
      case 0x61: {
        // Bit 4 toggles with every memory refresh, about each 15 microseconds (18 cycles of counter 1).
        const refresh = Math.floor(now / 18) & 1;
        const output = this.#counters[2].output(now);
        return this.#control | (refresh << 4) | (output ? 0x20 : 0);
      }
      default:
        return 0xff; // The control word cannot be read.
    }
  }

  writePort(port: number, _sizeBytes: AccessBytes, value: number): void {
    const now = this.#ticks;
    switch (port) {
      case 0x40:
      case 0x41:
      case 0x42:
        this.#counter(port - 0x40).write(value, now);
        break;
      case 0x43:
        this.#writeControl(value, now);
        break;
      default:
        this.#control = value & 3;
        this.#counters[2].setGate((value & 1) !== 0, now);
    }
    this.#update();
  }

  /** The output of counter 0 changes. */
  onEvent(): void {
    this.#update();
  }

  get #ticks(): number {
    return pitTicks(this.#timeline.now);
  }

  #counter(index: number): Counter {
    return this.#counters[index] ?? this.#counters[0];
  }

  #writeControl(value: number, now: number): void {
    const select = value >> 6;
    if (select === 3) {
      // Read-back: bit 5 clear latches counts, bit 4 clear latches status, of the counters in bits 3:1.
      this.#counters.forEach((counter, index) => {
        if ((value & (2 << index)) === 0) return;
        if ((value & 0x20) === 0) counter.latchCount(now);
        if ((value & 0x10) === 0) counter.latchStatus(now);
      });
      return;
    }
    const counter = this.#counter(select);
    const bytes = (value >> 4) & 3;
    if (bytes === 0) counter.latchCount(now);
    else
      counter.program((value >> 1) & 7, bytes === 1 ? 1 : bytes === 2 ? 2 : 3, (value & 1) !== 0);
  }

  #update(): void {
    const [counter] = this.#counters;
    const now = this.#ticks;
    this.#setLine(counter.output(now));
    const change = counter.nextChange(now);
    if (change === undefined) this.#timeline.cancel(this.name, "output");
    else this.#timeline.schedule(this.name, "output", pitNanoseconds(change));
  }
}

function powerUp(): [Counter, Counter, Counter] {
  return [new Counter(true), new Counter(true), new Counter(false)];
}
