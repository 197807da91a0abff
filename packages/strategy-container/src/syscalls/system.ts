/** The system as a whole: names, memory, randomness, processor state, power. uname(2), sysinfo(2), prctl(2), arch_prctl(2). */
import { EFAULT, EINVAL, EPERM, ENOSYS } from "../abi/errno.ts";
import { MACHINE_NAME, SYSTEM_NAME, SYSTEM_RELEASE, SYSTEM_VERSION } from "../abi/system-name.ts";
import { isSignal } from "../kernel/signal-set.ts";
import { PAGE_BYTES, USER_END } from "../abi/memory.ts";
import { decodeName, encodeName } from "../files/file-name.ts";
import { NO_RESULT, type Call } from "../kernel/call.ts";
import { endProcess } from "../kernel/exit.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";

/** struct new_utsname: six fields of 65 bytes. */
function uname(call: Call): number {
  const { uts } = call.parts;
  const bytes = new Uint8Array(390);
  const fields = [
    SYSTEM_NAME,
    uts.hostName,
    SYSTEM_RELEASE,
    SYSTEM_VERSION,
    MACHINE_NAME,
    uts.domainName,
  ];
  for (const [index, field] of fields.entries()) bytes.set(encodeName(field), index * 65);
  return call.put(call.size(0), bytes);
}

function readHostName(call: Call): string | number {
  if (call.process.credentials.effectiveUser !== 0) return EPERM;
  const length = call.int(1);
  if (length < 0 || length > 64) return EINVAL;
  const bytes = call.space.get(call.size(0), length);
  return bytes === undefined ? EFAULT : decodeName(bytes);
}

function sethostname(call: Call): number {
  const name = readHostName(call);
  if (typeof name === "number") return name;
  call.parts.uts.hostName = name;
  return 0;
}

function setdomainname(call: Call): number {
  const name = readHostName(call);
  if (typeof name === "number") return name;
  call.parts.uts.domainName = name;
  return 0;
}

/** struct sysinfo. Linux, include/uapi/linux/sysinfo.h. */
function sysinfo(call: Call): number {
  const { group, pids } = call.process;
  const bytes = new Uint8Array(112);
  const view = new DataView(bytes.buffer);
  const total = group.limits.memoryBytes;
  const put = (offset: number, value: number) => {
    view.setUint32(offset, value >>> 0, true);
    view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
  };
  put(0, Math.floor(call.kernel.now / 1e9));
  put(32, total);
  put(40, Math.max(0, total - group.usedBytes));
  view.setUint16(80, pids.processes.size, true);
  view.setUint32(104, 1, true);
  return call.put(call.size(0), bytes);
}

function getrandom(call: Call): number {
  if ((call.unsigned(2) & ~7) !== 0) return EINVAL;
  const length = Math.min(call.size(1), 0x1ff_ffff);
  let done = 0;
  while (done < length) {
    const chunk = call.kernel.random.bytes(Math.min(PAGE_BYTES, length - done));
    const written = call.space.write(call.size(0) + done, chunk);
    done += written;
    if (written < chunk.length) break;
  }
  return done === 0 && length > 0 ? EFAULT : done;
}

const ARCH_SET_GS = 0x1001;
const ARCH_SET_FS = 0x1002;
const ARCH_GET_FS = 0x1003;
const ARCH_GET_GS = 0x1004;

function archPrctl(call: Call): number {
  const { cpu } = call.kernel;
  const [low, high] = call.pair(1);
  switch (call.int(0)) {
    case ARCH_SET_FS:
    case ARCH_SET_GS: {
      if (!(call.size(1) < USER_END)) return EPERM;
      const base = (BigInt(high) << 32n) | BigInt(low);
      if (call.int(0) === ARCH_SET_FS) cpu.fsBase = base;
      else cpu.gsBase = base;
      return 0;
    }
    case ARCH_GET_FS:
      return call.space.putU64(call.size(1), Number(cpu.fsBase)) ? 0 : EFAULT;
    case ARCH_GET_GS:
      return call.space.putU64(call.size(1), Number(cpu.gsBase)) ? 0 : EFAULT;
    default:
      return EINVAL;
  }
}

const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;

function prctl(call: Call): number {
  const { process } = call;
  switch (call.int(0)) {
    case PR_SET_PDEATHSIG: {
      const signal = call.int(1);
      if (signal !== 0 && !isSignal(signal)) return EINVAL;
      process.parentDeathSignal = signal;
      return 0;
    }
    case PR_GET_PDEATHSIG:
      return call.space.putU32(call.size(1), process.parentDeathSignal) ? 0 : EFAULT;
    case PR_GET_DUMPABLE:
      return process.dumpable ? 1 : 0;
    case PR_SET_DUMPABLE:
      if (call.size(1) > 1) return EINVAL;
      process.dumpable = call.size(1) === 1;
      return 0;
    case PR_SET_NAME: {
      const name = call.space.getString(call.size(1), 16);
      if (name === "fault") return EFAULT;
      const bytes = name === "long" ? call.space.get(call.size(1), 15) : name.subarray(0, 15);
      if (bytes === undefined) return EFAULT;
      process.name = decodeName(bytes);
      return 0;
    }
    case PR_GET_NAME: {
      const bytes = new Uint8Array(16);
      bytes.set(encodeName(process.name));
      return call.put(call.size(1), bytes);
    }
    case PR_SET_NO_NEW_PRIVS:
      if (call.size(1) !== 1) return EINVAL;
      process.noNewPrivileges = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      return process.noNewPrivileges ? 1 : 0;
    default:
      return EINVAL;
  }
}

const REBOOT_MAGIC = 0xfee1_dead;
const REBOOT_MAGICS = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
const RESTART = 0x0123_4567;
const HALT = 0xcdef_0123;
const POWER_OFF = 0x4321_fedc;
const ENABLE_KEY = 0x89ab_cdef;

/** Inside a pid namespace, reboot ends the namespace: here, the container. reboot(2), "Behavior inside PID namespaces". */
function reboot(call: Call): number {
  if (call.process.credentials.effectiveUser !== 0) return EPERM;
  if (call.unsigned(0) !== REBOOT_MAGIC || !REBOOT_MAGICS.includes(call.unsigned(1))) return EINVAL;
  const command = call.unsigned(2);
  if (command === 0 || command === ENABLE_KEY) return 0;
  if (command !== RESTART && command !== HALT && command !== POWER_OFF) return EINVAL;
  const { kernel } = call;
  const signal = command === RESTART ? 1 : 2;
  const { main } = kernel;
  endProcess(kernel, call.process, signal);
  if (main !== undefined && main !== call.process) endProcess(kernel, main, signal);
  return NO_RESULT;
}

export const systemCalls: readonly SystemCall[] = [
  row(63, "uname", uname),
  row(99, "sysinfo", sysinfo, "partial", "load averages are 0"),
  row(103, "syslog", () => EPERM, "partial", "there is no kernel log to read"),
  row(157, "prctl", prctl, "partial", "name, dumpable, no_new_privs, parent death signal"),
  row(158, "arch_prctl", archPrctl, "partial", "FS and GS base"),
  row(169, "reboot", reboot),
  row(170, "sethostname", sethostname),
  row(171, "setdomainname", setdomainname),
  row(318, "getrandom", getrandom, "partial", "a fixed sequence, so that runs repeat"),
  row(334, "rseq", () => ENOSYS, "partial", "C libraries do without it"),
];
