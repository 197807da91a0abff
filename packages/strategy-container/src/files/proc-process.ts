/** What /proc tells of one process, as text. proc(5). */
import { PAGE_BYTES } from "../abi/memory.ts";
import { describeArea } from "../kernel/area.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Process } from "../kernel/process.ts";
import type { SignalSet } from "../kernel/signal-set.ts";
import { decodeName } from "./file-name.ts";
import { pathOf } from "./path-walk.ts";

function stateLetter(kernel: Kernel, process: Process): string {
  if (process.state === "zombie") return "Z";
  if (process.state === "stopped") return "T";
  if (kernel.current?.process === process) return "R";
  return process.threads.some(({ state }) => state === "runnable") ? "R" : "S";
}

function mask(set: SignalSet | undefined): string {
  const hex = (value: number) => (value >>> 0).toString(16).padStart(8, "0");
  return set === undefined ? "0".repeat(16) : hex(set.high) + hex(set.low);
}

function stringsBetween(process: Process, start: number, end: number): string {
  const bytes = process.parts?.space.get(start, Math.max(0, end - start));
  return bytes === undefined ? "" : decodeName(bytes);
}

/** Files of a process's directory: name to text, undefined when what it tells about is gone. */
export function processFiles(
  kernel: Kernel,
  process: Process,
): Record<string, () => string | undefined> {
  const space = () => process.parts?.space;
  const sizeBytes = () =>
    (space()?.areas ?? []).reduce((sum, { start, end }) => sum + end - start, 0);
  const resident = () => (space()?.residentPages ?? 0) * PAGE_BYTES;
  return {
    cgroup: () => "0::/\n",
    cmdline: () => {
      const at = space();
      return at === undefined ? "" : stringsBetween(process, at.argumentsStart, at.argumentsEnd);
    },
    comm: () => `${process.name}\n`,
    environ: () => {
      const at = space();
      return at === undefined ? "" : stringsBetween(process, at.argumentsEnd, at.environmentEnd);
    },
    limits: () => limitsText(process),
    maps: () => (space()?.areas ?? []).map((area) => `${describeArea(area)}\n`).join(""),
    mountinfo: () => mountLines(process, true),
    mounts: () => mountLines(process, false),
    oom_score_adj: () => "0\n",
    stat: () => statLine(kernel, process, sizeBytes(), resident()),
    statm: () =>
      `${sizeBytes() / PAGE_BYTES} ${resident() / PAGE_BYTES} 0 0 0 ${resident() / PAGE_BYTES} 0\n`,
    status: () => statusText(kernel, process, sizeBytes(), resident()),
    uid_map: () => "         0          0 4294967295\n",
    gid_map: () => "         0          0 4294967295\n",
    setgroups: () => "allow\n",
  };
}

function mountLines(process: Process, detailed: boolean): string {
  const { parts } = process;
  if (parts === undefined) return "";
  return parts.mounts.mounts
    .map((mount) => {
      const place = mount.on === undefined ? "/" : (pathOf(mount.on, parts.paths.root) ?? "/");
      const rights = mount.readOnly ? "ro" : "rw";
      if (!detailed) return `${mount.source} ${place} ${mount.type} ${rights},relatime 0 0\n`;
      const above = mount.on?.mount.id ?? mount.id;
      const device = mount.root.fileSystem.device;
      return `${mount.id} ${above} 0:${device & 0xff} / ${place} ${rights},relatime - ${mount.type} ${mount.source} ${rights}\n`;
    })
    .join("");
}

/** Names and units as in Linux, fs/proc/base.c. */
const LIMIT_NAMES: readonly (readonly [string, string])[] = [
  ["Max cpu time", "seconds"],
  ["Max file size", "bytes"],
  ["Max data size", "bytes"],
  ["Max stack size", "bytes"],
  ["Max core file size", "bytes"],
  ["Max resident set", "bytes"],
  ["Max processes", "processes"],
  ["Max open files", "files"],
  ["Max locked memory", "bytes"],
  ["Max address space", "bytes"],
  ["Max file locks", "locks"],
  ["Max pending signals", "signals"],
  ["Max msgqueue size", "bytes"],
  ["Max nice priority", ""],
  ["Max realtime priority", ""],
  ["Max realtime timeout", "us"],
];

function limitsText(process: Process): string {
  const show = (value: number | undefined) =>
    value === undefined || value >= 2 ** 63 ? "unlimited" : `${value}`;
  const line = (name: string, soft: string, hard: string, units: string) =>
    `${name.padEnd(26)}${soft.padEnd(21)}${hard.padEnd(21)}${units.padEnd(10)}\n`;
  return (
    line("Limit", "Soft Limit", "Hard Limit", "Units") +
    LIMIT_NAMES.map(([name, units], index) =>
      line(name, show(process.limits[index]?.soft), show(process.limits[index]?.hard), units),
    ).join("")
  );
}

/** The 52 fields of /proc/PID/stat; what is not counted is 0. */
function statLine(kernel: Kernel, process: Process, sizeBytes: number, resident: number): string {
  const fields: (string | number)[] = Array.from({ length: 52 }, () => 0);
  const ticks = (units: number) => Math.floor(units / 1e7);
  const set = (field: number, value: string | number) => (fields[field - 1] = value);
  const space = process.parts?.space;
  set(1, process.id);
  set(2, `(${process.name})`);
  set(3, stateLetter(kernel, process));
  set(4, process.parentId);
  set(5, process.processGroup);
  set(6, process.session);
  set(8, -1);
  set(14, ticks(kernel.unitsOf(process)));
  set(16, ticks(process.childUnits));
  set(18, 20);
  set(20, Math.max(1, process.threads.length));
  set(22, ticks(process.startTime));
  set(23, sizeBytes);
  set(24, resident / PAGE_BYTES);
  set(25, "18446744073709551615");
  set(28, space?.argumentsStart ?? 0);
  set(38, process.exitSignal);
  set(48, space?.argumentsStart ?? 0);
  set(49, space?.argumentsEnd ?? 0);
  set(50, space?.argumentsEnd ?? 0);
  set(51, space?.environmentEnd ?? 0);
  set(52, process.status);
  return `${fields.join(" ")}\n`;
}

const STATE_NAMES: Readonly<Record<string, string>> = {
  R: "R (running)",
  S: "S (sleeping)",
  T: "T (stopped)",
  Z: "Z (zombie)",
};

function statusText(kernel: Kernel, process: Process, sizeBytes: number, resident: number): string {
  const { credentials, parts } = process;
  const letter = stateLetter(kernel, process);
  const kibibytes = (bytes: number) => `${`${Math.floor(bytes / 1024)}`.padStart(8)} kB`;
  const first = process.threads[0];
  const actions = parts?.actions;
  const lines = [
    `Name:\t${process.name}`,
    `Umask:\t0${(parts?.paths.umask ?? 0).toString(8).padStart(3, "0")}`,
    `State:\t${STATE_NAMES[letter] ?? letter}`,
    `Tgid:\t${process.id}`,
    `Pid:\t${process.id}`,
    `PPid:\t${process.parentId}`,
    "TracerPid:\t0",
    `Uid:\t${[credentials.user, credentials.effectiveUser, credentials.savedUser, credentials.effectiveUser].join("\t")}`,
    `Gid:\t${[credentials.group, credentials.effectiveGroup, credentials.savedGroup, credentials.effectiveGroup].join("\t")}`,
    "FDSize:\t64",
    `Groups:\t${credentials.supplementary.join(" ")} `,
    `VmSize:\t${kibibytes(sizeBytes)}`,
    `VmRSS:\t${kibibytes(resident)}`,
    `Threads:\t${Math.max(1, process.threads.length)}`,
    `SigPnd:\t${mask(first?.pending.set)}`,
    `ShdPnd:\t${mask(process.pending.set)}`,
    `SigBlk:\t${mask(first?.blocked)}`,
    `SigIgn:\t${mask(actions?.handled("ignored"))}`,
    `SigCgt:\t${mask(actions?.handled("caught"))}`,
    `NoNewPrivs:\t${process.noNewPrivileges ? 1 : 0}`,
    "Seccomp:\t0",
    "Cpus_allowed:\t1",
    "Cpus_allowed_list:\t0",
    "",
  ];
  return lines.join("\n");
}
