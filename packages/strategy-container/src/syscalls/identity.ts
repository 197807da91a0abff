/** Users and groups. setuid(2), setresuid(2), getgroups(2). */
import { EFAULT, EINVAL, EPERM } from "../abi/errno.ts";
import type { Call } from "../kernel/call.ts";
import type { Credentials } from "../kernel/credentials.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";

/** Fewer than Linux's 65,536: each process may have a list of its own. */
const MAXIMUM_GROUPS = 1024;
/** "Leave as it is". */
const KEEP = -1;

type Kind = "user" | "group";

function names(kind: Kind) {
  return kind === "user"
    ? ({ real: "user", effective: "effectiveUser", saved: "savedUser" } as const)
    : ({ real: "group", effective: "effectiveGroup", saved: "savedGroup" } as const);
}

/** setuid and setgid. */
function setOne(call: Call, kind: Kind): number {
  const { credentials } = call.process;
  const { real, effective, saved } = names(kind);
  const id = call.unsigned(0);
  if (credentials.effectiveUser === 0) {
    credentials[real] = id;
    credentials[saved] = id;
  } else if (id !== credentials[real] && id !== credentials[saved]) {
    return EPERM;
  }
  credentials[effective] = id;
  return 0;
}

function permitted(credentials: Credentials, kind: Kind, id: number): boolean {
  const { real, effective, saved } = names(kind);
  if (id === KEEP || credentials.effectiveUser === 0) return true;
  return [credentials[real], credentials[effective], credentials[saved]].includes(id >>> 0);
}

/** setresuid and setresgid. */
function setThree(call: Call, kind: Kind): number {
  const { credentials } = call.process;
  const { real, effective, saved } = names(kind);
  const wanted = [call.int(0), call.int(1), call.int(2)] as const;
  if (!wanted.every((id) => permitted(credentials, kind, id))) return EPERM;
  if (wanted[0] !== KEEP) credentials[real] = wanted[0] >>> 0;
  if (wanted[1] !== KEEP) credentials[effective] = wanted[1] >>> 0;
  if (wanted[2] !== KEEP) credentials[saved] = wanted[2] >>> 0;
  return 0;
}

/** setreuid and setregid. */
function setTwo(call: Call, kind: Kind): number {
  const { credentials } = call.process;
  const { real, effective, saved } = names(kind);
  const [newReal, newEffective] = [call.int(0), call.int(1)];
  if (!permitted(credentials, kind, newReal) || !permitted(credentials, kind, newEffective)) {
    return EPERM;
  }
  const oldReal = credentials[real];
  if (newReal !== KEEP) credentials[real] = newReal >>> 0;
  if (newEffective !== KEEP) credentials[effective] = newEffective >>> 0;
  if (newReal !== KEEP || (newEffective !== KEEP && newEffective >>> 0 !== oldReal)) {
    credentials[saved] = credentials[effective];
  }
  return 0;
}

function getThree(call: Call, kind: Kind): number {
  const { credentials } = call.process;
  const { real, effective, saved } = names(kind);
  const written =
    call.space.putU32(call.size(0), credentials[real]) &&
    call.space.putU32(call.size(1), credentials[effective]) &&
    call.space.putU32(call.size(2), credentials[saved]);
  return written ? 0 : EFAULT;
}

function getgroups(call: Call): number {
  const { supplementary } = call.process.credentials;
  const room = call.int(0);
  if (room < 0) return EINVAL;
  if (room === 0) return supplementary.length;
  if (room < supplementary.length) return EINVAL;
  for (const [index, group] of supplementary.entries()) {
    if (!call.space.putU32(call.size(1) + index * 4, group)) return EFAULT;
  }
  return supplementary.length;
}

function setgroups(call: Call): number {
  const { credentials } = call.process;
  if (credentials.effectiveUser !== 0) return EPERM;
  const count = call.unsigned(0);
  if (count > MAXIMUM_GROUPS) return EINVAL;
  const bytes = call.space.get(call.size(1), count * 4);
  if (bytes === undefined) return EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  credentials.supplementary = Array.from({ length: count }, (_, index) =>
    view.getUint32(index * 4, true),
  );
  return 0;
}

export const identityCalls: readonly SystemCall[] = [
  row(102, "getuid", (call) => call.process.credentials.user),
  row(104, "getgid", (call) => call.process.credentials.group),
  row(105, "setuid", (call) => setOne(call, "user")),
  row(106, "setgid", (call) => setOne(call, "group")),
  row(107, "geteuid", (call) => call.process.credentials.effectiveUser),
  row(108, "getegid", (call) => call.process.credentials.effectiveGroup),
  row(113, "setreuid", (call) => setTwo(call, "user")),
  row(114, "setregid", (call) => setTwo(call, "group")),
  row(115, "getgroups", getgroups),
  row(116, "setgroups", setgroups, "partial", "at most 1024 groups"),
  row(117, "setresuid", (call) => setThree(call, "user")),
  row(118, "getresuid", (call) => getThree(call, "user")),
  row(119, "setresgid", (call) => setThree(call, "group")),
  row(120, "getresgid", (call) => getThree(call, "group")),
];
