/**
 * The CMOS clock of a PC: a calendar and 114 bytes of memory behind two ports.
 *
 * Motorola MC146818A data sheet, "Address Map", "Registers"; the century byte at 0x32 and the memory sizes at
 * 0x15 to 0x35 are where PC firmware keeps them. The calendar is UTC and goes with machine time.
 *
 * Differs from the MC146818A: the time base cannot be changed, and the square wave does not exist.
 */
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";
import type { Timeline } from "../timeline.ts";
import { ClockInterrupts, clockInterrupt, type ClockState } from "./clock-interrupts.ts";

const nanosecondsPerSecond = 1_000_000_000;
/** "Update Cycle": UIP rises 244 microseconds before an update that takes 1984 microseconds. */
const updateNanoseconds = 244_000 + 1_984_000;

/** Register B. */
const set = 0x80;
const binary = 0x04;
const hours24 = 0x02;
const interrupts = clockInterrupt.periodic | clockInterrupt.alarm | clockInterrupt.update;
/** Register A: the usual crystal of 32.768 kHz, and the rate that firmware selects, 1024 Hz. */
const timeBase = 0x20;
const usualRate = 0x06;
/** In an alarm field: matches always. */
const anyValue = 0xc0;

export interface CmosOptions {
  /** Seconds since 1970-01-01T00:00:00Z when machine time is 0. */
  readonly epochSeconds: number;
  /** Size of the machine's memory, which the firmware's bytes report. */
  readonly memoryBytes: number;
}

export class Cmos implements PortDevice {
  readonly name = "cmos";
  readonly ports: readonly PortRange[] = [{ base: 0x70, count: 2, widthBytes: 1 }];
  readonly #timeline: Timeline;
  readonly #options: CmosOptions;
  readonly #memory = new Uint8Array(128);
  readonly #interrupts: ClockInterrupts;
  #index = 0;
  #rate = usualRate;
  #control = hours24;
  /** Seconds that the guest has moved the clock by. */
  #shiftSeconds = 0;
  /** The calendar as register B's SET bit froze it. */
  #frozenSeconds: number | undefined;

  /** @param setLine Level of its interrupt line. */
  constructor(
    timeline: Timeline,
    options: CmosOptions,
    setLine: (level: boolean) => void = () => {},
  ) {
    this.#timeline = timeline;
    this.#options = options;
    this.#interrupts = new ClockInterrupts(timeline, this.name, setLine, () => this.#state());
    this.reset();
  }

  reset(): void {
    this.#interrupts.reset();
    this.#index = 0;
    this.#rate = usualRate;
    this.#control = hours24;
    this.#shiftSeconds = 0;
    this.#frozenSeconds = undefined;
    this.#memory.fill(0);
    const extendedKib = Math.max(0, this.#options.memoryBytes / 1024 - 1024);
    this.#setWord(0x15, 640);
    this.#setWord(0x17, Math.min(extendedKib, 0xffff));
    this.#setWord(0x30, Math.min(extendedKib, 0xffff));
    // In units of 64 KiB above 16 MiB.
    this.#setWord(0x34, Math.min(Math.max(0, Math.floor((extendedKib - 15_360) / 64)), 0xffff));
  }

  readPort(port: number, _sizeBytes: AccessBytes): number {
    if (port === 0x70) return 0xff;
    const time = this.#calendar();
    switch (this.#index) {
      case 0x00:
        return this.#encode(time.second);
      case 0x02:
        return this.#encode(time.minute);
      case 0x04:
        return this.#encodeHour(time.hour);
      case 0x06:
        return this.#encode(time.weekday);
      case 0x07:
        return this.#encode(time.day);
      case 0x08:
        return this.#encode(time.month);
      case 0x09:
        return this.#encode(time.year % 100);
      case 0x32:
        return this.#encode(Math.floor(time.year / 100));
      case 0x0a:
        return timeBase | this.#rate | (this.#updates() ? 0x80 : 0);
      case 0x0b:
        return this.#control;
      case 0x0c:
        return this.#interrupts.readStatus();
      case 0x0d:
        return 0x80; // Valid RAM and time.
      default:
        return this.#memory[this.#index] ?? 0xff;
    }
  }

  writePort(port: number, _sizeBytes: AccessBytes, value: number): void {
    if (port === 0x70) {
      this.#index = value & 0x7f; // Bit 7 masks NMI, which nothing here raises.
      return;
    }
    const field = fields.get(this.#index);
    if (field !== undefined) this.#writeCalendar(field, value);
    else if (this.#index === 0x0a) this.#rate = value & 0xf;
    else if (this.#index === 0x0b) this.#writeControl(value);
    else if (this.#index < 0x0a || this.#index > 0x0d) this.#memory[this.#index] = value;
    // Registers below 0x0c are the calendar, the alarm and what controls them.
    if (this.#index < 0x0c) this.#interrupts.schedule();
  }

  /** An enabled interrupt is due. */
  onEvent(event: string): void {
    this.#interrupts.onEvent(event);
  }

  #state(): ClockState {
    const { hour, minute, second } = this.#calendar();
    const field = (index: number): number | undefined => {
      const value = this.#memory[index] ?? anyValue;
      return value >= anyValue ? undefined : this.#decode(value, index === 0x05);
    };
    return {
      rate: this.#rate,
      enabled: this.#control & interrupts,
      isRunning: this.#frozenSeconds === undefined,
      secondOfDay: hour * 3600 + minute * 60 + second,
      alarm: { hour: field(0x05), minute: field(0x03), second: field(0x01) },
    };
  }

  get #seconds(): number {
    if (this.#frozenSeconds !== undefined) return this.#frozenSeconds;
    const passed = Math.floor(this.#timeline.now / nanosecondsPerSecond);
    return this.#options.epochSeconds + this.#shiftSeconds + passed;
  }

  #updates(): boolean {
    const intoSecond = this.#timeline.now % nanosecondsPerSecond;
    return (
      this.#frozenSeconds === undefined && nanosecondsPerSecond - intoSecond <= updateNanoseconds
    );
  }

  #calendar(): Calendar {
    return calendarOf(this.#seconds);
  }

  #writeControl(value: number): void {
    if ((value & set) !== 0) {
      this.#frozenSeconds ??= this.#seconds;
    } else if (this.#frozenSeconds !== undefined) {
      const frozen = this.#frozenSeconds;
      this.#frozenSeconds = undefined;
      this.#shiftSeconds += frozen - this.#seconds;
    }
    // Setting the clock ends update interrupts.
    const kept = (value & set) === 0 ? interrupts : interrupts & ~clockInterrupt.update;
    this.#control = value & (set | binary | hours24 | kept);
  }

  #writeCalendar(field: keyof Calendar | "century", value: number): void {
    const time = this.#calendar();
    const number = this.#decode(value, field === "hour");
    const century = Math.floor(time.year / 100);
    const next =
      field === "century"
        ? { ...time, year: number * 100 + (time.year % 100) }
        : { ...time, [field]: field === "year" ? century * 100 + number : number };
    const seconds = secondsOf(next);
    if (this.#frozenSeconds !== undefined) this.#frozenSeconds = seconds;
    else this.#shiftSeconds += seconds - this.#seconds;
  }

  #encode(value: number): number {
    return (this.#control & binary) !== 0 ? value : value + 6 * Math.floor(value / 10);
  }

  #encodeHour(hour: number): number {
    if ((this.#control & hours24) !== 0) return this.#encode(hour);
    return this.#encode(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0);
  }

  #decode(value: number, isHour: boolean): number {
    const half = isHour && (this.#control & hours24) === 0;
    const raw = half ? value & 0x7f : value;
    const number = (this.#control & binary) !== 0 ? raw : raw - 6 * (raw >> 4);
    return half ? (number % 12) + ((value & 0x80) !== 0 ? 12 : 0) : number;
  }

  #setWord(index: number, value: number): void {
    this.#memory[index] = value & 0xff;
    this.#memory[index + 1] = value >> 8;
  }
}

interface Calendar {
  readonly second: number;
  readonly minute: number;
  readonly hour: number;
  /** 1 is Sunday. */
  readonly weekday: number;
  readonly day: number;
  readonly month: number;
  readonly year: number;
}

const fields: ReadonlyMap<number, keyof Calendar | "century"> = new Map([
  [0x00, "second"],
  [0x02, "minute"],
  [0x04, "hour"],
  [0x06, "weekday"],
  [0x07, "day"],
  [0x08, "month"],
  [0x09, "year"],
  [0x32, "century"],
]);

const secondsPerDay = 86_400;
/** Days of 400 Gregorian years. */
const daysPerEra = 146_097;
/** 1 March of the year 0 to 1 January 1970. Years that begin in March end with the leap day. */
const daysToEpoch = 719_468;

/** The proleptic Gregorian calendar, UTC, without leap seconds. */
function calendarOf(seconds: number): Calendar {
  const days = Math.floor(seconds / secondsPerDay);
  const rest = seconds - days * secondsPerDay;
  const fromMarch = days + daysToEpoch;
  const era = Math.floor(fromMarch / daysPerEra);
  const dayOfEra = fromMarch - era * daysPerEra;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return {
    second: rest % 60,
    minute: Math.floor(rest / 60) % 60,
    hour: Math.floor(rest / 3600),
    weekday: ((((days + 4) % 7) + 7) % 7) + 1, // 1970-01-01 was a Thursday.
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
    month,
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
  };
}

/** The weekday is ignored: it follows from the date. Fields out of range carry over. */
function secondsOf({ year, month, day, hour, minute, second }: Calendar): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const monthFromMarch = month > 2 ? month - 3 : month + 9;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  const days = era * daysPerEra + dayOfEra - daysToEpoch;
  return days * secondsPerDay + hour * 3600 + minute * 60 + second;
}
