/**
 * Time as a domain gets it: what it computes from the time-stamp counter, the calendar, and its timers.
 *
 * Xen, xen/include/public/xen.h (vcpu_time_info, shared_info.wc_*), xen/include/public/vcpu.h. The counter runs at
 * 1 GHz, so that nanoseconds are its ticks.
 */
import type { MonitorWork } from "@ringside/hypervisor";
import { TIMESTAMP_HERTZ, type PhysicalMemory } from "@ringside/isa";
import type { Timeline } from "@ringside/machine";
import { SHARED_INFO, TIME_INFO, VCPU_INFO } from "../abi/domain.ts";

/** The device that timers belong to on the machine's timeline. */
export const TIMER_DEVICE = "vcpu0";

/** system_time = ticks << shift, times multiplier, over 2^32. */
const SHIFT = 1;
const MULTIPLIER = Math.round((1_000_000_000 / TIMESTAMP_HERTZ) * 2 ** (32 - SHIFT));

/** The last time that a timer can be set to, in nanoseconds: 52 days. */
const LAST_DEADLINE = 2 ** 52;

export interface DomainClockOptions {
  readonly memory: PhysicalMemory;
  readonly work: MonitorWork;
  readonly timeline: Timeline;
  readonly epochSeconds: number;
  readonly vcpuInfo: () => number;
}

export class DomainClock {
  readonly #options: DomainClockOptions;
  #periodNanoseconds = 0;

  constructor(options: DomainClockOptions) {
    this.#options = options;
  }

  get now(): number {
    return this.#options.timeline.now;
  }

  reset(): void {
    this.#periodNanoseconds = 0;
  }

  /** Writes the calendar of the domain's birth. */
  writeWallClock(sharedInfo: number): void {
    const { memory, epochSeconds } = this.#options;
    memory.writeU32(sharedInfo + SHARED_INFO.wallClockSeconds, epochSeconds >>> 0);
    memory.writeU32(
      sharedInfo + SHARED_INFO.wallClockSecondsHigh,
      Math.floor(epochSeconds / 0x1_0000_0000),
    );
    memory.writeU32(sharedInfo + SHARED_INFO.wallClockNanoseconds, 0);
    memory.writeU32(sharedInfo + SHARED_INFO.wallClockVersion, 2);
  }

  /** Writes how the counter gives the time; the version is odd while it does. */
  writeTime(): void {
    const { memory, work } = this.#options;
    const at = this.#options.vcpuInfo() + VCPU_INFO.time;
    const version = memory.readU32(at + TIME_INFO.version);
    memory.writeU32(at + TIME_INFO.version, (version | 1) >>> 0);
    const now = BigInt(this.now);
    memory.writeU64(at + TIME_INFO.tscTimestamp, now);
    memory.writeU64(at + TIME_INFO.systemTime, now);
    memory.writeU32(at + TIME_INFO.multiplier, MULTIPLIER);
    memory.writeU8(at + TIME_INFO.shift, SHIFT);
    memory.writeU32(at + TIME_INFO.version, ((version | 1) + 1) >>> 0);
    work.add("mappedWords", 5);
  }

  /** Sets the one-shot timer; a time in the past is due at once. */
  setSingleShot(deadline: number): void {
    this.#schedule("single-shot", deadline);
  }

  stopSingleShot(): void {
    this.#options.timeline.cancel(TIMER_DEVICE, "single-shot");
  }

  setPeriodic(periodNanoseconds: number): void {
    this.#periodNanoseconds = periodNanoseconds;
    this.#schedule("periodic", this.now + periodNanoseconds);
  }

  stopPeriodic(): void {
    this.#periodNanoseconds = 0;
    this.#options.timeline.cancel(TIMER_DEVICE, "periodic");
  }

  /** The timer of set_timer_op; 0 stops it. */
  setDomainTimer(deadline: number): void {
    if (deadline === 0) this.#options.timeline.cancel(TIMER_DEVICE, "domain-timer");
    else this.#schedule("domain-timer", deadline);
  }

  /** A poll ends by itself at `deadline`. */
  setPollTimeout(deadline: number): void {
    this.#schedule("poll", deadline);
  }

  cancelPollTimeout(): void {
    this.#options.timeline.cancel(TIMER_DEVICE, "poll");
  }

  /** A timer's time has come: the periodic one is set again. */
  expired(event: string, deadline: number): void {
    if (event === "periodic" && this.#periodNanoseconds > 0) {
      const next = deadline + this.#periodNanoseconds;
      this.#schedule("periodic", Math.max(next, this.now + 1));
    }
  }

  #schedule(event: string, deadline: number): void {
    const { timeline } = this.#options;
    // Weeks away a guest means never, and machine time has to stay a safe integer.
    if (deadline > LAST_DEADLINE) timeline.cancel(TIMER_DEVICE, event);
    else timeline.schedule(TIMER_DEVICE, event, Math.max(deadline, this.now));
  }
}
