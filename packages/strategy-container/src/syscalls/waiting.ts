/** Waiting for children, and what they used. wait(2), getrusage(2). */
import { ECHILD, EFAULT, EINVAL } from "../abi/errno.ts";
import { CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD } from "../abi/signals.ts";
import type { Call } from "../kernel/call.ts";
import { reap } from "../kernel/exit.ts";
import type { Process } from "../kernel/process.ts";
import { encodeSignalInfo } from "../kernel/signal-frame.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";

const WNOHANG = 1;
const WUNTRACED = 2;
const WEXITED = 4;
const WCONTINUED = 8;
const WNOWAIT = 0x0100_0000;
const WALL = 0x6000_0000 | 0x8000_0000;

interface Change {
  readonly child: Process;
  readonly status: number;
}

/** A change of a child that the caller wants to know of: `"none"`: later perhaps; `"no-child"`: never. */
function findChange(
  process: Process,
  selects: (child: Process) => boolean,
  options: number,
): Change | "none" | "no-child" {
  let any = false;
  for (const child of process.children) {
    if (!selects(child)) continue;
    any = true;
    if (child.state === "zombie") {
      if ((options & WEXITED) !== 0) return { child, status: child.status };
      continue;
    }
    const { unreported } = child;
    if (unreported === undefined) continue;
    const wanted = unreported === 0xffff ? WCONTINUED : WUNTRACED;
    if ((options & wanted) !== 0) return { child, status: unreported };
  }
  return any ? "none" : "no-child";
}

/** Which children a pid argument of wait4 means. */
function selector(process: Process, id: number): (child: Process) => boolean {
  if (id > 0) return (child) => child.id === id;
  if (id === -1) return () => true;
  const group = id === 0 ? process.processGroup : -id;
  return (child) => child.processGroup === group;
}

/** Takes note of a change, so that it is not reported again. */
function consume(call: Call, { child }: Change): void {
  if (child.state === "zombie") {
    call.process.childUnits += child.units + child.childUnits;
    reap(call.kernel, child);
  } else {
    child.unreported = undefined;
  }
}

function wait4(call: Call): number {
  const options = call.unsigned(2);
  if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | WALL)) >>> 0 !== 0) return EINVAL;
  const { process } = call;
  const change = findChange(process, selector(process, call.int(0)), options | WEXITED);
  if (change === "no-child") return ECHILD;
  if (change === "none") {
    if ((options & WNOHANG) !== 0) return 0;
    return call.wait([process.childChanged], "restartable");
  }
  const place = call.size(1);
  const units = change.child.units + change.child.childUnits;
  consume(call, change);
  if (place !== 0 && !call.space.putU32(place, change.status)) return EFAULT;
  const usage = call.size(3);
  if (usage !== 0 && !putUsage(call, usage, units)) return EFAULT;
  return change.child.id;
}

const P_ALL = 0;
const P_PID = 1;
const P_PGID = 2;

function waitid(call: Call): number {
  const options = call.unsigned(3);
  const kinds = WEXITED | WUNTRACED | WCONTINUED;
  if ((options & kinds) === 0) return EINVAL;
  if ((options & ~(kinds | WNOHANG | WNOWAIT | WALL)) >>> 0 !== 0) return EINVAL;
  const { process } = call;
  const id = call.int(1);
  const type = call.int(0);
  let selects: (child: Process) => boolean;
  if (type === P_ALL) selects = () => true;
  else if (type === P_PID && id > 0) selects = (child) => child.id === id;
  else if (type === P_PGID && id >= 0) {
    const group = id === 0 ? process.processGroup : id;
    selects = (child) => child.processGroup === group;
  } else return EINVAL;
  const change = findChange(process, selects, options);
  if (change === "no-child") return ECHILD;
  const place = call.size(2);
  if (change === "none") {
    if ((options & WNOHANG) === 0) return call.wait([process.childChanged], "restartable");
    return place === 0 || call.space.put(place, new Uint8Array(128)) ? 0 : EFAULT;
  }
  const { child, status } = change;
  if ((options & WNOWAIT) === 0) consume(call, change);
  if (place === 0) return 0;
  const info = { signal: SIGCHLD, process: child.id, user: child.credentials.user };
  return call.put(place, encodeSignalInfo({ ...info, ...describe(status) }));
}

/** si_code and si_status of a wait status. */
function describe(status: number): { code: number; status: number } {
  if (status === 0xffff) return { code: CLD_CONTINUED, status: 18 };
  if ((status & 0xff) === 0x7f) return { code: CLD_STOPPED, status: status >>> 8 };
  if ((status & 0x7f) === 0) return { code: CLD_EXITED, status: status >>> 8 };
  return { code: CLD_KILLED, status: status & 0x7f };
}

/** struct rusage: user time first; the rest is not counted. */
function putUsage(call: Call, linear: number, units: number): boolean {
  const bytes = new Uint8Array(144);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(units / 1e9), true);
  view.setUint32(8, Math.floor((units % 1e9) / 1e3), true);
  return call.space.put(linear, bytes);
}

function getrusage(call: Call): number {
  const who = call.int(0);
  const { process, kernel } = call;
  if (who !== 0 && who !== 1 && who !== -1) return EINVAL;
  const units = who === -1 ? process.childUnits : kernel.unitsOf(process);
  return putUsage(call, call.size(1), units) ? 0 : EFAULT;
}

export const waitingCalls: readonly SystemCall[] = [
  row(61, "wait4", wait4, "partial", "of struct rusage only user time is filled in"),
  row(98, "getrusage", getrusage, "partial", "user time only"),
  row(247, "waitid", waitid),
];
