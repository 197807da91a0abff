/** Waiting for several files: poll and select. poll(2), select(2). */
import { EBADF, EFAULT, EINVAL } from "../abi/errno.ts";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
} from "../abi/files.ts";
import type { OpenFile } from "../files/open-file.ts";
import type { Call } from "../kernel/call.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import type { WaitQueue } from "../kernel/wait-queue.ts";
import { replaceMask } from "./signals.ts";
import { readTimespec, readTimeval } from "./time.ts";

const READ_EVENTS = POLLIN | POLLRDNORM | POLLPRI;
const WRITE_EVENTS = POLLOUT | POLLWRNORM;

/** Sets the deadline at the first start of the call. `timeout` in nanoseconds; undefined: for ever. */
function setDeadline(call: Call, timeout: number | undefined): void {
  if (call.thread.progress === undefined && timeout !== undefined) {
    call.progress.deadline = call.kernel.now + timeout;
  }
}

function queuesOf(file: OpenFile, events: number): (WaitQueue | undefined)[] {
  return [
    (events & READ_EVENTS) === 0 ? undefined : file.readQueue,
    (events & WRITE_EVENTS) === 0 ? undefined : file.writeQueue,
  ];
}

function poll(call: Call, timeout: number | undefined): number {
  const linear = call.size(0);
  const count = call.unsigned(1);
  if (count > call.process.descriptorLimit) return EINVAL;
  setDeadline(call, timeout);
  const bytes = call.space.get(linear, count * 8);
  if (bytes === undefined) return EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const queues: (WaitQueue | undefined)[] = [];
  let ready = 0;
  for (let index = 0; index < count; index++) {
    const descriptor = view.getInt32(index * 8, true);
    const events = view.getInt16(index * 8 + 4, true);
    let result = 0;
    if (descriptor >= 0) {
      const file = call.parts.descriptors.get(descriptor);
      if (file === undefined) {
        result = POLLNVAL;
      } else {
        result = file.poll() & (events | POLLERR | POLLHUP);
        // A hang-up concerns whoever asked, so a wait for nothing stands on both queues.
        queues.push(file.readQueue, file.writeQueue);
      }
    }
    view.setInt16(index * 8 + 6, result, true);
    if (result !== 0) ready++;
  }
  // The results are written also when the call then waits: a signal may end it.
  if (!call.space.put(linear, bytes)) return EFAULT;
  return ready > 0 || call.timeIsUp ? ready : call.wait(queues, "unless-handled");
}

/** poll's timeout in nanoseconds from its argument in milliseconds. */
function milliseconds(value: number): number | undefined {
  return value < 0 ? undefined : value * 1e6;
}

function ppoll(call: Call): number {
  let timeout: number | undefined;
  if (call.size(2) !== 0) {
    const time = readTimespec(call, call.size(2));
    if (time < 0) return time;
    timeout = time;
  }
  if (call.size(3) !== 0) {
    const failure = replaceMask(call, call.size(3), call.size(4));
    if (failure !== 0) return failure;
  }
  return poll(call, timeout);
}

/** Sets of select are bit maps of 64-bit words. */
function select(call: Call, timeout: number | undefined): number {
  const count = call.int(0);
  if (count < 0) return EINVAL;
  setDeadline(call, timeout);
  const width = Math.min(count, 1 + call.process.descriptorLimit);
  const bytes = Math.ceil(width / 64) * 8;
  const wanted: (Uint8Array | undefined)[] = [];
  for (const index of [1, 2, 3] as const) {
    const linear = call.size(index);
    const set = linear === 0 ? undefined : call.space.get(linear, bytes);
    if (linear !== 0 && set === undefined) return EFAULT;
    wanted.push(set);
  }
  const results = wanted.map((set) => set && new Uint8Array(bytes));
  const queues: (WaitQueue | undefined)[] = [];
  let ready = 0;
  for (let descriptor = 0; descriptor < width; descriptor++) {
    const byte = descriptor >>> 3;
    const bit = 1 << (descriptor & 7);
    const asked = wanted.map((set) => ((set?.[byte] ?? 0) & bit) !== 0);
    if (!asked.includes(true)) continue;
    const file = call.parts.descriptors.get(descriptor);
    if (file === undefined) return EBADF;
    const events = file.poll();
    const holds = [
      events & (POLLIN | POLLRDNORM | POLLHUP | POLLERR),
      events & (POLLOUT | POLLWRNORM | POLLERR),
      events & POLLPRI,
    ];
    asked.forEach((isAsked, set) => {
      const result = results[set];
      if (!isAsked || holds[set] === 0 || result === undefined) return;
      result[byte] = (result[byte] ?? 0) | bit;
      ready++;
    });
    queues.push(...queuesOf(file, (asked[0] ? READ_EVENTS : 0) | (asked[1] ? WRITE_EVENTS : 0)));
  }
  if (ready === 0 && !call.timeIsUp) return call.wait(queues, "unless-handled");
  for (const [index, result] of results.entries()) {
    if (result === undefined) continue;
    if (!call.space.put(call.size((index + 1) as 1 | 2 | 3), result)) return EFAULT;
  }
  return ready;
}

function plainSelect(call: Call): number {
  const linear = call.size(4);
  if (linear === 0) return select(call, undefined);
  const started = call.thread.progress !== undefined;
  const time = readTimeval(call, linear);
  if (time < 0) return time;
  const result = select(call, started ? 0 : time);
  // Linux tells how much of the timeout is left.
  const deadline = call.thread.progress?.deadline;
  if (result >= 0 && deadline !== undefined) {
    const left = Math.max(0, deadline - call.kernel.now);
    call.space.putU64(linear, Math.floor(left / 1e9));
    call.space.putU64(linear + 8, Math.floor((left % 1e9) / 1e3));
  }
  return result;
}

function pselect(call: Call): number {
  let timeout: number | undefined;
  if (call.size(4) !== 0) {
    const time = readTimespec(call, call.size(4));
    if (time < 0) return time;
    timeout = time;
  }
  const mask = call.size(5);
  if (mask !== 0) {
    const linear = call.space.getU64(mask);
    const size = call.space.getU64(mask + 8);
    if (linear < 0 || size < 0) return EFAULT;
    const failure = linear === 0 ? 0 : replaceMask(call, linear, size);
    if (failure !== 0) return failure;
  }
  return select(call, timeout);
}

export const pollCalls: readonly SystemCall[] = [
  row(7, "poll", (call) => poll(call, milliseconds(call.int(2)))),
  row(23, "select", plainSelect),
  row(270, "pselect6", pselect),
  row(271, "ppoll", ppoll),
];
