/** Futexes: waiting for a word in memory. futex(2). */
import { EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT } from "../abi/errno.ts";
import type { Call } from "../kernel/call.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import { readTimespec } from "./time.ts";

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const FUTEX_REQUEUE = 3;
const FUTEX_CMP_REQUEUE = 4;
const FUTEX_WAIT_BITSET = 9;
const FUTEX_WAKE_BITSET = 10;
const FUTEX_COMMAND = 0x7f;
const FUTEX_CLOCK_REALTIME = 0x100;

function futex(call: Call): number {
  const { kernel, space } = call;
  const linear = call.size(0);
  const operation = call.int(1);
  if (linear % 4 !== 0) return EINVAL;
  switch (operation & FUTEX_COMMAND) {
    case FUTEX_WAIT:
      return futexWait(call, linear, 0xffff_ffff, false, operation);
    case FUTEX_WAIT_BITSET:
      return call.unsigned(5) === 0
        ? EINVAL
        : futexWait(call, linear, call.unsigned(5), true, operation);
    case FUTEX_WAKE:
      return kernel.futexes.wake(space, linear, Math.max(1, call.int(2)));
    case FUTEX_WAKE_BITSET:
      return call.unsigned(5) === 0
        ? EINVAL
        : kernel.futexes.wake(space, linear, Math.max(1, call.int(2)), call.unsigned(5));
    case FUTEX_CMP_REQUEUE:
      if (space.getU32(linear) !== call.unsigned(5)) return EAGAIN;
      // Waking instead of moving is a spurious wake-up, which every waiter must expect.
      return kernel.futexes.wake(space, linear, 0x7fff_ffff);
    case FUTEX_REQUEUE:
      return kernel.futexes.wake(space, linear, 0x7fff_ffff);
    default:
      return ENOSYS;
  }
}

function futexWait(
  call: Call,
  linear: number,
  bits: number,
  absolute: boolean,
  operation: number,
): number {
  const { kernel, thread, space } = call;
  const first = thread.progress === undefined;
  if (thread.progress?.woken === true) return 0;
  if (call.timeIsUp) return ETIMEDOUT;
  const value = space.getU32(linear);
  if (value < 0) return EFAULT;
  if (first && value !== call.unsigned(2)) return EAGAIN;
  if (first && call.size(3) !== 0) {
    const timeout = readTimespec(call, call.size(3));
    if (timeout < 0) return timeout;
    const start =
      absolute && (operation & FUTEX_CLOCK_REALTIME) !== 0 ? kernel.epochSeconds * 1e9 : 0;
    call.progress.deadline = absolute ? timeout - start : kernel.now + timeout;
    if (call.timeIsUp) return ETIMEDOUT;
  }
  const queue = kernel.futexes.join(space, linear, thread, bits);
  if (queue === undefined) return EFAULT;
  call.progress.woken = false;
  return call.wait([queue], "restartable");
}

export const futexCalls: readonly SystemCall[] = [
  row(202, "futex", futex, "partial", "wait, wake and requeue; no priority inheritance"),
];
