/**
 * /proc: processes and the system as files. proc(5).
 *
 * Nothing is stored: directories and files are made when they are looked up, and their text when they are opened.
 */
import { EACCES } from "../abi/errno.ts";
import { S_IFDIR, S_IFLNK } from "../abi/files.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Process } from "../kernel/process.ts";
import type { Location } from "../namespaces/mount-namespace.ts";
import type { PidNamespace } from "../namespaces/pid-namespace.ts";
import type { ControlGroup } from "../namespaces/control-group.ts";
import type { FileSystem } from "./file-system.ts";
import { GeneratedInode } from "./generated-file.ts";
import { DirectoryInode, SymlinkInode, type DirectoryEntry, type Inode } from "./inode.ts";
import type { OpenFile } from "./open-file.ts";
import { MagicLinkInode, pathOf } from "./path-walk.ts";
import { processFiles } from "./proc-process.ts";

/** A directory whose entries are given by name. */
class ComputedDirectory extends DirectoryInode {
  readonly parent: DirectoryInode;
  readonly #names: () => readonly string[];
  readonly #make: (name: string) => Inode | undefined;

  constructor(
    fileSystem: FileSystem,
    number: number,
    parent: DirectoryInode | undefined,
    permissions: number,
    names: () => readonly string[],
    make: (name: string) => Inode | undefined,
  ) {
    super(fileSystem, S_IFDIR | permissions, number);
    this.parent = parent ?? this;
    this.links = 2;
    this.#names = names;
    this.#make = make;
  }

  override lookup(name: string): Inode | undefined {
    return this.#make(name);
  }

  override list(): readonly DirectoryEntry[] {
    return this.#names().flatMap((name) => {
      const inode = this.#make(name);
      return inode === undefined ? [] : [{ name, inode: inode.number, type: inode.type }];
    });
  }

  override nameOf(child: Inode): string | undefined {
    return this.#names().find((name) => this.#make(name)?.number === child.number);
  }

  override freeWhenUnused(): void {}
}

class PlaceLink extends MagicLinkInode {
  readonly #place: () => Location | undefined;

  constructor(
    fileSystem: FileSystem,
    number: number,
    target: string,
    place: () => Location | undefined,
  ) {
    super(fileSystem, target, number);
    this.#place = place;
    this.mode = S_IFLNK | 0o777;
    this.links = 1;
  }

  override follow(): Location | undefined {
    return this.#place();
  }

  override freeWhenUnused(): void {}
}

class ComputedLink extends SymlinkInode {
  override links = 1;

  override freeWhenUnused(): void {}
}

/** Numbers of computed files: the process's number and a place in its directory. */
function inodeNumber(process: number, place: number): number {
  return process * 0x1_0000 + place;
}

/** Makes the root directory of a /proc for one pid namespace. */
export function makeProcRoot(
  kernel: Kernel,
  fileSystem: FileSystem,
  pids: PidNamespace,
  group: ControlGroup,
): DirectoryInode {
  const texts: Record<string, () => string> = systemFiles(kernel, pids, group);
  const names = Object.keys(texts);
  const make = (name: string): Inode | undefined => {
    if (name === "self" || name === "thread-self") return selfLink(kernel, fileSystem, name, pids);
    if (name === "mounts") return new ComputedLink(fileSystem, "self/mounts", 6);
    if (name === "sys") return systemControls(kernel, fileSystem, root);
    const text = texts[name];
    if (text !== undefined)
      return new GeneratedInode(fileSystem, 0o444, 16 + names.indexOf(name), text);
    const process = /^[1-9][0-9]*$/.test(name) ? pids.processes.get(Number(name)) : undefined;
    return process && processDirectory(kernel, fileSystem, root, process);
  };
  const root: DirectoryInode = new ComputedDirectory(
    fileSystem,
    1,
    undefined,
    0o555,
    () => [
      ...[...pids.processes.keys()].map(String),
      "self",
      "thread-self",
      "mounts",
      "sys",
      ...names,
    ],
    make,
  );
  return root;
}

function selfLink(
  kernel: Kernel,
  fileSystem: FileSystem,
  name: string,
  pids: PidNamespace,
): Inode | undefined {
  const thread = kernel.current;
  if (thread === undefined || thread.process.pids !== pids) return undefined;
  const { id } = thread.process;
  return name === "self"
    ? new ComputedLink(fileSystem, `${id}`, 4)
    : new ComputedLink(fileSystem, `${id}/task/${thread.id}`, 5);
}

function systemFiles(
  kernel: Kernel,
  pids: PidNamespace,
  group: ControlGroup,
): Record<string, () => string> {
  const kibibytes = (bytes: number) => `${Math.floor(bytes / 1024)} kB`.padStart(11);
  const seconds = () => (kernel.now / 1e9).toFixed(2);
  return {
    cmdline: () => "\n",
    cpuinfo: () => cpuInformation(kernel),
    filesystems: () => "nodev\tproc\nnodev\ttmpfs\nnodev\tramfs\nnodev\tpipefs\n",
    loadavg: () => `0.00 0.00 0.00 1/${pids.threads.size} ${Math.max(...pids.processes.keys())}\n`,
    meminfo: () => {
      const total = group.limits.memoryBytes;
      const free = Math.max(0, total - group.usedBytes);
      return [
        `MemTotal:    ${kibibytes(total)}`,
        `MemFree:     ${kibibytes(free)}`,
        `MemAvailable:${kibibytes(free)}`,
        `Buffers:     ${kibibytes(0)}`,
        `Cached:      ${kibibytes(0)}`,
        `SwapTotal:   ${kibibytes(0)}`,
        `SwapFree:    ${kibibytes(0)}`,
        "",
      ].join("\n");
    },
    stat: () => {
      const ticks = Math.floor(kernel.now / 1e7);
      return [
        `cpu  ${ticks} 0 0 0 0 0 0 0 0 0`,
        `cpu0 ${ticks} 0 0 0 0 0 0 0 0 0`,
        "intr 0",
        `ctxt ${kernel.counts.contextSwitches}`,
        `btime ${kernel.epochSeconds}`,
        `processes ${kernel.counts.forks + 1}`,
        "procs_running 1",
        "procs_blocked 0",
        "",
      ].join("\n");
    },
    uptime: () => `${seconds()} ${seconds()}\n`,
    version: () => `${kernel.versionText}\n`,
  };
}

function cpuInformation(kernel: Kernel): string {
  const { vendor, family, model, stepping, brand, features } = kernel.cpu.profile;
  const lines: readonly (readonly [string, string | number])[] = [
    ["processor\t", 0],
    ["vendor_id\t", vendor],
    ["cpu family\t", family],
    ["model\t\t", model],
    ["model name\t", brand.trim()],
    ["stepping\t", stepping],
    ["cpu MHz\t\t", "1000.000"],
    ["cpu cores\t", 1],
    ["flags\t\t", [...features].join(" ")],
  ];
  return `${lines.map(([name, value]) => `${name}: ${value}\n`).join("")}\n`;
}

function systemControls(
  kernel: Kernel,
  fileSystem: FileSystem,
  root: DirectoryInode,
): DirectoryInode {
  const current = () => kernel.current?.process.parts?.uts;
  const values: Record<string, () => string> = {
    domainname: () => `${current()?.domainName ?? ""}\n`,
    hostname: () => `${current()?.hostName ?? ""}\n`,
    osrelease: () => `${kernel.release}\n`,
    ostype: () => "Linux\n",
    pid_max: () => "32768\n",
    version: () => "#1 SMP PREEMPT_DYNAMIC\n",
    cap_last_cap: () => "40\n",
  };
  const memory: Record<string, () => string> = {
    overcommit_memory: () => "1\n",
    max_map_count: () => "65530\n",
    mmap_min_addr: () => "65536\n",
  };
  const directory = (
    number: number,
    parent: DirectoryInode,
    texts: Record<string, () => string>,
  ): DirectoryInode =>
    new ComputedDirectory(
      fileSystem,
      number,
      parent,
      0o555,
      () => Object.keys(texts),
      (name) => {
        const text = texts[name];
        const place = number * 64 + Object.keys(texts).indexOf(name);
        return text && new GeneratedInode(fileSystem, 0o444, place, text);
      },
    );
  const sys: DirectoryInode = new ComputedDirectory(
    fileSystem,
    7,
    root,
    0o555,
    () => ["kernel", "vm"],
    (name) => {
      if (name === "kernel") return directory(8, sys, values);
      return name === "vm" ? directory(9, sys, memory) : undefined;
    },
  );
  return sys;
}

function processDirectory(
  kernel: Kernel,
  fileSystem: FileSystem,
  parent: DirectoryInode,
  process: Process,
): DirectoryInode {
  const texts = processFiles(kernel, process);
  const names = Object.keys(texts);
  const links = ["cwd", "exe", "root"];
  const directories = ["fd", "fdinfo", "task"];
  const directory: DirectoryInode = own(
    process,
    new ComputedDirectory(
      fileSystem,
      inodeNumber(process.id, 0),
      parent,
      0o555,
      () => [...names, ...links, ...directories],
      (name) => {
        const text = texts[name];
        if (text !== undefined) {
          const place = inodeNumber(process.id, 16 + names.indexOf(name));
          return own(
            process,
            new GeneratedInode(fileSystem, 0o444, place, text, writer(process, name)),
          );
        }
        if (links.includes(name)) return placeLink(fileSystem, process, name);
        if (name === "fd") return descriptorDirectory(fileSystem, directory, process);
        if (name === "fdinfo") return descriptorInformation(fileSystem, directory, process);
        return name === "task" ? taskDirectory(kernel, fileSystem, directory, process) : undefined;
      },
    ),
  );
  return directory;
}

function own<T extends Inode>(process: Process, inode: T): T {
  inode.user = process.credentials.effectiveUser;
  inode.group = process.credentials.effectiveGroup;
  return inode;
}

/** The few files of a process that take writes. */
function writer(process: Process, name: string): ((text: string) => number) | undefined {
  if (name === "comm") {
    return (text) => {
      process.name = text.replace(/\n$/, "").slice(0, 15);
      return 0;
    };
  }
  return name === "oom_score_adj" || name === "setgroups" ? () => 0 : () => EACCES;
}

function placeLink(fileSystem: FileSystem, process: Process, name: string): Inode | undefined {
  const { parts, executable } = process;
  if (parts === undefined) return undefined;
  const { paths } = parts;
  const place = name === "exe" ? executable : name === "cwd" ? paths.current : paths.root;
  if (place === undefined) return undefined;
  const path = name === "exe" ? process.executablePath : (pathOf(place, paths.root) ?? "/");
  const target = place.inode.links === 0 ? `${path} (deleted)` : path;
  const number = inodeNumber(process.id, 8 + ["cwd", "exe", "root"].indexOf(name));
  return own(process, new PlaceLink(fileSystem, number, target, () => place));
}

function descriptorDirectory(
  fileSystem: FileSystem,
  parent: DirectoryInode,
  process: Process,
): DirectoryInode {
  const descriptors = () => process.parts?.descriptors;
  return own(
    process,
    new ComputedDirectory(
      fileSystem,
      inodeNumber(process.id, 1),
      parent,
      0o500,
      () => [...(descriptors()?.open() ?? [])].map(([descriptor]) => `${descriptor}`),
      (name) => {
        const file = /^(0|[1-9][0-9]*)$/.test(name) ? descriptors()?.get(Number(name)) : undefined;
        if (file === undefined) return undefined;
        const number = inodeNumber(process.id, 0x1000 + Number(name));
        const deleted = file.location !== undefined && file.inode.links === 0 ? " (deleted)" : "";
        return new PlaceLink(fileSystem, number, file.path + deleted, () => placeOf(process, file));
      },
    ),
  );
}

/** A file without a place, such as a pipe, is opened again through its inode alone. */
function placeOf(process: Process, file: OpenFile): Location | undefined {
  if (file.location !== undefined) return file.location;
  const mount = process.parts?.mounts.root;
  return mount && { mount, inode: file.inode };
}

function descriptorInformation(
  fileSystem: FileSystem,
  parent: DirectoryInode,
  process: Process,
): DirectoryInode {
  const descriptors = () => process.parts?.descriptors;
  return new ComputedDirectory(
    fileSystem,
    inodeNumber(process.id, 2),
    parent,
    0o555,
    () => [...(descriptors()?.open() ?? [])].map(([descriptor]) => `${descriptor}`),
    (name) => {
      const file = /^(0|[1-9][0-9]*)$/.test(name) ? descriptors()?.get(Number(name)) : undefined;
      const number = inodeNumber(process.id, 0x4000 + Number(name));
      return (
        file &&
        new GeneratedInode(
          fileSystem,
          0o444,
          number,
          () => `pos:\t${file.position}\nflags:\t0${file.flags.toString(8)}\n`,
        )
      );
    },
  );
}

function taskDirectory(
  kernel: Kernel,
  fileSystem: FileSystem,
  parent: DirectoryInode,
  process: Process,
): DirectoryInode {
  const directory: DirectoryInode = new ComputedDirectory(
    fileSystem,
    inodeNumber(process.id, 3),
    parent,
    0o555,
    () => process.threads.map(({ id }) => `${id}`),
    (name) => {
      if (!process.threads.some(({ id }) => `${id}` === name)) return undefined;
      const texts = processFiles(kernel, process);
      return new ComputedDirectory(
        fileSystem,
        inodeNumber(process.id, 0x8000 + Number(name)),
        directory,
        0o555,
        () => Object.keys(texts),
        (file) => {
          const text = texts[file];
          const place = inodeNumber(process.id, 0xc000 + Object.keys(texts).indexOf(file));
          return text && new GeneratedInode(fileSystem, 0o444, place, text);
        },
      );
    },
  );
  return directory;
}
