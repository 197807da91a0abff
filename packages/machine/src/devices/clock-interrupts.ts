/**
 * The interrupts of the CMOS clock: periodic, at an alarm, and after each update.
 *
 * Motorola MC146818A data sheet, "Interrupts", "Register A" (rate selection), "Register C". The clock updates at whole
 * seconds of machine time.
 *
 * Differs from the MC146818A: the alarm flag is set only while the alarm interrupt is enabled.
 */
import type { Timeline } from "../timeline.ts";

/** The same bit enables an interrupt in register B and says in register C that it happened. */
export const clockInterrupt = { periodic: 0x40, alarm: 0x20, update: 0x10 } as const;
const requested = 0x80;

type Source = keyof typeof clockInterrupt;
const sources: readonly Source[] = ["periodic", "alarm", "update"];

const nanosecondsPerSecond = 1_000_000_000;
/** Of the time base that the rate selector divides. */
const baseHertz = 32_768;

export interface ClockState {
  /** Bits 3:0 of register A. */
  readonly rate: number;
  /** Register B's enabled interrupts. */
  readonly enabled: number;
  /** False while the clock is set, or does not run. */
  readonly isRunning: boolean;
  /** Seconds of the day now. */
  readonly secondOfDay: number;
  readonly alarm: Alarm;
}

/** When the alarm is due; undefined fields match always, values that no clock shows never. */
export interface Alarm {
  readonly hour: number | undefined;
  readonly minute: number | undefined;
  readonly second: number | undefined;
}

export class ClockInterrupts {
  readonly #timeline: Timeline;
  readonly #name: string;
  readonly #setLine: (level: boolean) => void;
  readonly #state: () => ClockState;
  #flags = 0;
  /** Machine time of the last look at register C. */
  #lookedAt = 0;

  /** @param name The clock's on the timeline. */
  constructor(
    timeline: Timeline,
    name: string,
    setLine: (level: boolean) => void,
    state: () => ClockState,
  ) {
    this.#timeline = timeline;
    this.#name = name;
    this.#setLine = setLine;
    this.#state = state;
  }

  reset(): void {
    this.#flags = 0;
    this.#lookedAt = 0;
    for (const source of sources) this.#timeline.cancel(this.#name, source);
    this.#setLine(false);
  }

  /** Register C. Reading it takes the interrupt back. */
  readStatus(): number {
    const { rate, enabled, isRunning } = this.#state();
    const { now } = this.#timeline;
    let flags = this.#flags;
    // Flags are set whether or not they interrupt.
    if (nextPeriod(this.#lookedAt, rate) <= now) flags |= clockInterrupt.periodic;
    if (isRunning && nextSecond(this.#lookedAt) <= now) flags |= clockInterrupt.update;
    this.#flags = 0;
    this.#lookedAt = now;
    this.#setLine(false);
    this.schedule();
    return (flags & enabled) === 0 ? flags : flags | requested;
  }

  /** What is enabled, the rate, the time or the alarm has changed. */
  schedule(): void {
    const state = this.#state();
    const { now } = this.#timeline;
    const when: Readonly<Record<Source, number>> = {
      periodic: nextPeriod(now, state.rate),
      alarm: state.isRunning ? nextAlarm(now, state) : Infinity,
      update: state.isRunning ? nextSecond(now) : Infinity,
    };
    for (const source of sources) {
      const isWanted = (state.enabled & clockInterrupt[source]) !== 0 && when[source] < Infinity;
      if (isWanted) this.#timeline.schedule(this.#name, source, when[source]);
      else this.#timeline.cancel(this.#name, source);
    }
  }

  /** An enabled interrupt is due. The next one waits until register C was read. */
  onEvent(event: string): void {
    for (const source of sources) {
      if (source === event) this.#flags |= clockInterrupt[source];
    }
    this.#setLine(true);
  }
}

/** The first boundary of a period behind `time`; never for rate 0. */
function nextPeriod(time: number, rate: number): number {
  if (rate === 0) return Infinity;
  // Rates 1 and 2 are those of 8 and 9.
  const divider = 2 ** ((rate <= 2 ? rate + 7 : rate) - 1);
  const perSecond = baseHertz / divider;
  const seconds = Math.floor(time / nanosecondsPerSecond);
  const rest = time - seconds * nanosecondsPerSecond;
  const passed = Math.floor((rest * perSecond) / nanosecondsPerSecond);
  const boundary = (count: number): number =>
    seconds * nanosecondsPerSecond + Math.ceil((count * nanosecondsPerSecond) / perSecond);
  const next = boundary(passed + 1);
  return next > time ? next : boundary(passed + 2);
}

function nextSecond(time: number): number {
  return (Math.floor(time / nanosecondsPerSecond) + 1) * nanosecondsPerSecond;
}

function nextAlarm(time: number, { secondOfDay, alarm, enabled }: ClockState): number {
  const { hour, minute, second } = alarm;
  const isPossible = (hour ?? 0) < 24 && (minute ?? 0) < 60 && (second ?? 0) < 60;
  if ((enabled & clockInterrupt.alarm) === 0 || !isPossible) return Infinity;
  // Skips whole hours and minutes that do not match, so that no alarm takes long to find.
  let at = secondOfDay + 1;
  for (;;) {
    if (hour !== undefined && Math.floor(at / 3600) % 24 !== hour) at = nextMultiple(at, 3600);
    else if (minute !== undefined && Math.floor(at / 60) % 60 !== minute) at = nextMultiple(at, 60);
    else if (second !== undefined && at % 60 !== second) at += 1;
    else return nextSecond(time) + (at - secondOfDay - 1) * nanosecondsPerSecond;
  }
}

function nextMultiple(value: number, step: number): number {
  return (Math.floor(value / step) + 1) * step;
}
