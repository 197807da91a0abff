/** Clocks, sleeping and timers. clock_gettime(2), nanosleep(2), setitimer(2), timer_create(2). */
import { EAGAIN, EFAULT, EINVAL, EPERM, EOPNOTSUPP } from "../abi/errno.ts";
import { LAST_SIGNAL, SIGALRM } from "../abi/signals.ts";
import type { Call } from "../kernel/call.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";

const CLOCK_REALTIME = 0;
const CLOCK_PROCESS_CPU = 2;
const CLOCK_THREAD_CPU = 3;
const REALTIME_CLOCKS = [CLOCK_REALTIME, 5, 8];
const MONOTONIC_CLOCKS = [1, 4, 6, 7, 9];
const TIMER_ABSTIME = 1;
const ITIMER_REAL = 0;
/** Timers that one process may have: bounds the table. */
const MAXIMUM_TIMERS = 128;

/** A struct timespec as nanoseconds: a safe integer, saturated at 2^53, or an error number. */
export function readTimespec(call: Call, linear: number): number {
  const bytes = call.space.get(linear, 16);
  if (bytes === undefined) return EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const seconds = view.getInt32(4, true) * 0x1_0000_0000 + view.getUint32(0, true);
  const nanoseconds = view.getInt32(12, true) * 0x1_0000_0000 + view.getUint32(8, true);
  if (seconds < 0 || nanoseconds < 0 || nanoseconds > 999_999_999) return EINVAL;
  return Math.min(Number.MAX_SAFE_INTEGER / 4, seconds * 1e9 + nanoseconds);
}

/** A struct timeval as nanoseconds, or an error number. */
export function readTimeval(call: Call, linear: number): number {
  const bytes = call.space.get(linear, 16);
  if (bytes === undefined) return EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const seconds = view.getInt32(4, true) * 0x1_0000_0000 + view.getUint32(0, true);
  const microseconds = view.getInt32(12, true) * 0x1_0000_0000 + view.getUint32(8, true);
  if (seconds < 0 || microseconds < 0 || microseconds > 999_999) return EINVAL;
  return Math.min(Number.MAX_SAFE_INTEGER / 4, seconds * 1e9 + microseconds * 1e3);
}

/** Writes seconds and a fraction, 8 bytes each. */
function putTime(call: Call, linear: number, seconds: number, fraction: number): boolean {
  return call.space.putU64(linear, seconds) && call.space.putU64(linear + 8, fraction);
}

/** Present time of a clock in nanoseconds since its own start; undefined: no such clock. */
function clockNow(call: Call, clock: number): { seconds: number; nanoseconds: number } | undefined {
  const { kernel, process } = call;
  if (REALTIME_CLOCKS.includes(clock)) return kernel.realTime();
  let time: number;
  if (MONOTONIC_CLOCKS.includes(clock)) time = kernel.now;
  else if (clock === CLOCK_PROCESS_CPU || clock === CLOCK_THREAD_CPU) {
    time = kernel.unitsOf(process);
  } else return undefined;
  return { seconds: Math.floor(time / 1e9), nanoseconds: time % 1e9 };
}

function clockGettime(call: Call): number {
  const time = clockNow(call, call.int(0));
  if (time === undefined) return EINVAL;
  return putTime(call, call.size(1), time.seconds, time.nanoseconds) ? 0 : EFAULT;
}

function clockGetres(call: Call): number {
  if (clockNow(call, call.int(0)) === undefined) return EINVAL;
  return call.size(1) === 0 || putTime(call, call.size(1), 0, 1) ? 0 : EFAULT;
}

function gettimeofday(call: Call): number {
  const { seconds, nanoseconds } = call.kernel.realTime();
  const time = call.size(0);
  if (time !== 0 && !putTime(call, time, seconds, Math.floor(nanoseconds / 1e3))) return EFAULT;
  const zone = call.size(1);
  return zone === 0 || call.space.putU64(zone, 0) ? 0 : EFAULT;
}

function time(call: Call): number {
  const { seconds } = call.kernel.realTime();
  return call.size(0) === 0 || call.space.putU64(call.size(0), seconds) ? seconds : EFAULT;
}

/** Sleeps until `deadline`; `remainder` gets the time left when a handler interrupts. */
function sleepUntil(call: Call, deadline: number, remainder: number): number {
  if (call.thread.progress === undefined) {
    call.progress.deadline = deadline;
    if (remainder !== 0) call.progress.remainder = remainder;
  }
  return call.timeIsUp ? 0 : call.wait([], "unless-handled");
}

function nanosleep(call: Call): number {
  const duration = readTimespec(call, call.size(0));
  if (duration < 0) return duration;
  return sleepUntil(call, call.kernel.now + duration, call.size(1));
}

function clockNanosleep(call: Call): number {
  const clock = call.int(0);
  const duration = readTimespec(call, call.size(2));
  if (duration < 0) return duration;
  const now = clockNow(call, clock);
  if (now === undefined) return EINVAL;
  if (clock === CLOCK_THREAD_CPU || clock === CLOCK_PROCESS_CPU) return EOPNOTSUPP;
  if ((call.int(1) & TIMER_ABSTIME) === 0) {
    return sleepUntil(call, call.kernel.now + duration, call.size(3));
  }
  const { kernel } = call;
  const start = REALTIME_CLOCKS.includes(clock) ? kernel.epochSeconds * 1e9 : 0;
  return sleepUntil(call, Math.max(kernel.now, duration - start), 0);
}

/** Sets ITIMER_REAL; gives the time that was left of the old one, and its interval. */
function setAlarm(call: Call, value: number, interval: number): { left: number; interval: number } {
  const { kernel, process } = call;
  const old = process.alarm;
  const left = old === undefined ? 0 : Math.max(1, old.timer.deadline - kernel.now);
  if (old !== undefined) kernel.timers.cancel(old.timer);
  process.alarm =
    value === 0
      ? undefined
      : { interval, timer: kernel.timers.set(kernel.now + value, { kind: "alarm", process }) };
  return { left, interval: old?.interval ?? 0 };
}

function alarm(call: Call): number {
  const { left } = setAlarm(call, call.unsigned(0) * 1e9, 0);
  // Rounded, but never to "none".
  return left === 0 ? 0 : Math.max(1, Math.round(left / 1e9));
}

function putItimer(call: Call, linear: number, left: number, interval: number): boolean {
  return (
    putTime(call, linear, Math.floor(interval / 1e9), Math.floor((interval % 1e9) / 1e3)) &&
    putTime(call, linear + 16, Math.floor(left / 1e9), Math.floor((left % 1e9) / 1e3))
  );
}

function setitimer(call: Call): number {
  if (call.int(0) !== ITIMER_REAL) return EINVAL;
  const linear = call.size(1);
  const interval = linear === 0 ? 0 : readTimeval(call, linear);
  const value = linear === 0 ? 0 : readTimeval(call, linear + 16);
  if (interval < 0) return interval;
  if (value < 0) return value;
  const old = setAlarm(call, value, interval);
  const place = call.size(2);
  return place === 0 || putItimer(call, place, old.left, old.interval) ? 0 : EFAULT;
}

function getitimer(call: Call): number {
  if (call.int(0) !== ITIMER_REAL) return EINVAL;
  const { alarm: current } = call.process;
  const left = current === undefined ? 0 : Math.max(1, current.timer.deadline - call.kernel.now);
  return putItimer(call, call.size(1), left, current?.interval ?? 0) ? 0 : EFAULT;
}

const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;

function timerCreate(call: Call): number {
  const clock = call.int(0);
  if (clockNow(call, clock) === undefined) return EINVAL;
  const { posixTimers } = call.process;
  if (posixTimers.size >= MAXIMUM_TIMERS) return EAGAIN;
  let id = 0;
  while (posixTimers.has(id)) id++;
  let signal: number = SIGALRM;
  let value: [number, number] = [id, 0];
  const event = call.size(1);
  if (event !== 0) {
    const bytes = call.space.get(event, 16);
    if (bytes === undefined) return EFAULT;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
    const notify = view.getInt32(12, true);
    if (notify !== SIGEV_SIGNAL && notify !== SIGEV_NONE) return EINVAL;
    value = [view.getUint32(0, true), view.getUint32(4, true)];
    signal = notify === SIGEV_NONE ? 0 : view.getInt32(8, true);
    if (notify === SIGEV_SIGNAL && (signal < 1 || signal > LAST_SIGNAL)) return EINVAL;
  }
  if (!call.space.putU32(call.size(2), id)) return EFAULT;
  posixTimers.set(id, { signal, value, clock, timer: undefined, interval: 0 });
  return 0;
}

function timerSettime(call: Call): number {
  const { kernel, process } = call;
  const id = call.int(0);
  const timer = process.posixTimers.get(id);
  if (timer === undefined) return EINVAL;
  const interval = readTimespec(call, call.size(2));
  const value = readTimespec(call, call.size(2) + 16);
  if (interval < 0) return interval;
  if (value < 0) return value;
  const old = call.size(3);
  if (old !== 0 && timerGet(call, id, old) !== 0) return EFAULT;
  if (timer.timer !== undefined) kernel.timers.cancel(timer.timer);
  timer.timer = undefined;
  timer.interval = interval;
  if (value === 0) return 0;
  const absolute = (call.int(1) & TIMER_ABSTIME) !== 0;
  const start = REALTIME_CLOCKS.includes(timer.clock) ? kernel.epochSeconds * 1e9 : 0;
  const deadline = absolute ? value - start : kernel.now + value;
  timer.timer = kernel.timers.set(deadline, { kind: "posix", process, id });
  return 0;
}

function timerGet(call: Call, id: number, linear: number): number {
  const timer = call.process.posixTimers.get(id);
  if (timer === undefined) return EINVAL;
  const left = timer.timer === undefined ? 0 : Math.max(1, timer.timer.deadline - call.kernel.now);
  const written =
    putTime(call, linear, Math.floor(timer.interval / 1e9), timer.interval % 1e9) &&
    putTime(call, linear + 16, Math.floor(left / 1e9), left % 1e9);
  return written ? 0 : EFAULT;
}

function timerDelete(call: Call): number {
  const timer = call.process.posixTimers.get(call.int(0));
  if (timer === undefined) return EINVAL;
  if (timer.timer !== undefined) call.kernel.timers.cancel(timer.timer);
  call.process.posixTimers.delete(call.int(0));
  return 0;
}

/** times: clock ticks of 10 ms. */
function times(call: Call): number {
  const { kernel, process } = call;
  const linear = call.size(0);
  const ticks = (nanoseconds: number) => Math.floor(nanoseconds / 1e7);
  if (linear !== 0) {
    const values = [kernel.unitsOf(process), 0, process.childUnits, 0];
    for (const [index, value] of values.entries()) {
      if (!call.space.putU64(linear + index * 8, ticks(value))) return EFAULT;
    }
  }
  return ticks(kernel.now);
}

export const timeCalls: readonly SystemCall[] = [
  row(35, "nanosleep", nanosleep),
  row(36, "getitimer", getitimer, "partial", "ITIMER_REAL only"),
  row(37, "alarm", alarm),
  row(38, "setitimer", setitimer, "partial", "ITIMER_REAL only"),
  row(96, "gettimeofday", gettimeofday),
  row(100, "times", times),
  row(164, "settimeofday", () => EPERM, "partial", "the clock cannot be set"),
  row(201, "time", time),
  row(222, "timer_create", timerCreate, "partial", "SIGEV_SIGNAL and SIGEV_NONE"),
  row(223, "timer_settime", timerSettime),
  row(224, "timer_gettime", (call) => timerGet(call, call.int(0), call.size(1))),
  row(225, "timer_getoverrun", (call) => (call.process.posixTimers.has(call.int(0)) ? 0 : EINVAL)),
  row(226, "timer_delete", timerDelete),
  row(227, "clock_settime", () => EPERM, "partial", "the clock cannot be set"),
  row(228, "clock_gettime", clockGettime),
  row(229, "clock_getres", clockGetres),
  row(230, "clock_nanosleep", clockNanosleep),
];
