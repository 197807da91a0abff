/**
 * A container: namespaces, limits and a root file system for one main program.
 *
 * In a nutshell: a root in memory holds the guest's files; /dev, /proc and /tmp are what Linux containers have;
 * number 1 of the pid namespace is a reaper without a program, so that the program is an ordinary process, for whom
 * signals have their ordinary effects.
 */
import { ENOENT, isError } from "../abi/errno.ts";
import { O_WRONLY } from "../abi/files.ts";
import {
  DEVICE_CONSOLE,
  DEVICE_FULL,
  DEVICE_NULL,
  DEVICE_RANDOM,
  DEVICE_TTY,
  DEVICE_URANDOM,
  DEVICE_ZERO,
} from "../files/devices.ts";
import { nameFromText } from "../files/file-name.ts";
import { TMPFS_MAGIC, type FileSystem } from "../files/file-system.ts";
import { HostInput, HostInputFile, HostOutput, HostOutputFile } from "../files/host-stream.ts";
import {
  chargeInode,
  DeviceInode,
  MemoryDirectory,
  RegularInode,
  SymlinkInode,
  type Inode,
} from "../files/inode.ts";
import { KernelBuffer } from "../files/kernel-buffer.ts";
import { walk } from "../files/path-walk.ts";
import { recordPrice, type ControlGroup } from "../namespaces/control-group.ts";
import { MountNamespace } from "../namespaces/mount-namespace.ts";
import { UtsNamespace } from "../namespaces/uts-namespace.ts";
import { AddressSpace } from "./address-space.ts";
import { rootCredentials } from "./credentials.ts";
import { Descriptors } from "./descriptors.ts";
import { execute } from "./execute.ts";
import { makeReaper } from "./fork.ts";
import type { Kernel } from "./kernel.ts";
import { initialLimits } from "./limits.ts";
import { PathState, Process } from "./process.ts";
import { SignalActions } from "./signals.ts";
import { Thread } from "./thread.ts";

export interface ContainerFile {
  readonly bytes: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
}

export interface ContainerOptions {
  /** First the program, an absolute path. */
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly files: ReadonlyMap<string, ContainerFile>;
  readonly hostName: string;
  readonly stdout: ((bytes: Uint8Array) => void) | undefined;
  readonly stderr: ((bytes: Uint8Array) => void) | undefined;
}

/** What went wrong before the program could run. */
export type ContainerFailure =
  /** The files do not fit into the memory limit. */
  | { readonly kind: "out-of-memory"; readonly what: string }
  /** A file's path cannot be: not absolute, or below a file. */
  | { readonly kind: "bad-path"; readonly what: string }
  /** execve of the program failed. */
  | { readonly kind: "not-started"; readonly what: string; readonly error: number };

class Builder {
  readonly #fileSystem: FileSystem;

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  charge(what: string): ContainerFailure | undefined {
    return chargeInode(this.#fileSystem) ? undefined : { kind: "out-of-memory", what };
  }

  /** The directory at `parts` below `root`, made where it is missing. */
  directory(root: MemoryDirectory, parts: readonly string[]): MemoryDirectory | ContainerFailure {
    let at = root;
    for (const name of parts) {
      const there = at.lookup(name);
      if (there instanceof MemoryDirectory) {
        at = there;
        continue;
      }
      if (there !== undefined) return { kind: "bad-path", what: parts.join("/") };
      const failure = this.charge(name);
      if (failure !== undefined) return failure;
      const made = new MemoryDirectory(this.#fileSystem, 0o755, at);
      at.add(name, made);
      at = made;
    }
    return at;
  }
}

function isFailure(value: object | undefined): value is ContainerFailure {
  return value !== undefined && "kind" in value && "what" in value;
}

/** Path components; undefined unless it is absolute and names something below the root. */
function components(path: string): string[] | undefined {
  const parts = nameFromText(path).split("/");
  if (parts.shift() !== "") return undefined;
  const names = parts.filter((name) => name !== "" && name !== ".");
  if (names.length === 0 || names.includes("..") || path.includes("\0")) return undefined;
  return names.every(({ length }) => length <= 255) ? names : undefined;
}

function addFile(
  kernel: Kernel,
  builder: Builder,
  root: MemoryDirectory,
  path: string,
  { bytes, mode }: ContainerFile,
): ContainerFailure | undefined {
  const parts = components(path);
  const name = parts?.pop();
  if (parts === undefined || name === undefined) return { kind: "bad-path", what: path };
  const directory = builder.directory(root, parts);
  if (isFailure(directory)) return { ...directory, what: path };
  const there = directory.lookup(name);
  if (there instanceof MemoryDirectory) return { kind: "bad-path", what: path };
  if (there !== undefined) directory.remove(name);
  const failure = builder.charge(path);
  if (failure !== undefined) return failure;
  const inode = new RegularInode(directory.fileSystem, mode & 0o7777);
  directory.add(name, inode);
  const written = inode.write(new KernelBuffer(kernel.frames.memory, bytes), 0);
  return written === bytes.length ? undefined : { kind: "out-of-memory", what: path };
}

/** The directories of a container and the devices in /dev. Inodes that are charged are few. */
function furnish(builder: Builder, root: MemoryDirectory): ContainerFailure | undefined {
  const { fileSystem } = root;
  const tmp = builder.directory(root, ["tmp"]);
  if (isFailure(tmp)) return tmp;
  tmp.mode |= 0o1777;
  const proc = builder.directory(root, ["proc"]);
  if (isFailure(proc)) return proc;
  const dev = builder.directory(root, ["dev"]);
  if (isFailure(dev)) return dev;
  const add = (name: string, make: () => Inode): ContainerFailure | undefined => {
    if (dev.lookup(name) !== undefined) return undefined;
    const failure = builder.charge(`/dev/${name}`);
    if (failure === undefined) dev.add(name, make());
    return failure;
  };
  const devices: readonly (readonly [string, number])[] = [
    ["null", DEVICE_NULL],
    ["zero", DEVICE_ZERO],
    ["full", DEVICE_FULL],
    ["random", DEVICE_RANDOM],
    ["urandom", DEVICE_URANDOM],
    ["tty", DEVICE_TTY],
    ["console", DEVICE_CONSOLE],
  ];
  for (const [name, device] of devices) {
    const failure = add(name, () => new DeviceInode(fileSystem, 0o666, device));
    if (failure !== undefined) return failure;
  }
  const links: readonly (readonly [string, string])[] = [
    ["fd", "/proc/self/fd"],
    ["stdin", "/proc/self/fd/0"],
    ["stdout", "/proc/self/fd/1"],
    ["stderr", "/proc/self/fd/2"],
  ];
  for (const [name, target] of links) {
    const failure = add(name, () => new SymlinkInode(fileSystem, target));
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** Builds a container and loads its program. Gives its main process, or why there is none. */
export function startContainer(
  kernel: Kernel,
  group: ControlGroup,
  options: ContainerOptions,
): Process | ContainerFailure {
  const fileSystem = kernel.makeFileSystem("tmpfs", TMPFS_MAGIC, group);
  const builder = new Builder(fileSystem);
  const noMemory = { kind: "out-of-memory", what: "the container itself" } as const;
  if (!chargeInode(fileSystem)) return noMemory;
  const root = new MemoryDirectory(fileSystem, 0o755, undefined);
  for (const [path, file] of options.files) {
    const failure = addFile(kernel, builder, root, path, file);
    if (failure !== undefined) return failure;
  }
  const input = new HostInput(kernel.pipeFileSystem);
  const output = new HostOutput(kernel.pipeFileSystem, options.stdout);
  const errors = new HostOutput(kernel.pipeFileSystem, options.stderr);
  kernel.console = { input, output };
  const unfurnished = furnish(builder, root);
  if (unfurnished !== undefined) return unfurnished;

  const mounts = new MountNamespace(root, "none", "tmpfs", group);
  const place = { mount: mounts.root, inode: root };
  const space = AddressSpace.create(kernel, group);
  const price = recordPrice.thread + recordPrice.process;
  if (space === undefined || !group.chargeRecord(price) || !group.chargePid()) return noMemory;
  const reaper = makeReaper(kernel, {
    group,
    credentials: rootCredentials(),
    limits: initialLimits(),
  });
  const descriptors = new Descriptors();
  for (const file of [
    new HostInputFile(input, 0),
    new HostOutputFile(output, O_WRONLY),
    new HostOutputFile(errors, O_WRONLY),
  ]) {
    descriptors.add(file, false, 3);
  }
  const process = new Process({
    id: reaper.pids.allot(),
    pids: reaper.pids,
    group,
    parent: reaper,
    parts: {
      space,
      descriptors,
      paths: new PathState(place, place),
      actions: new SignalActions(),
      mounts,
      uts: new UtsNamespace(options.hostName, "(none)"),
    },
    credentials: rootCredentials(),
    limits: initialLimits(),
    name: "init",
    startTime: kernel.now,
    exitSignal: 0,
  });
  process.processGroup = process.id;
  process.session = process.id;
  reaper.children.add(process);
  process.pids.processes.set(process.id, process);
  const thread = new Thread(process.id, process, kernel);
  process.threads.push(thread);
  process.pids.threads.set(thread.id, thread);
  kernel.main = process;

  const procPlace = walkTo(process, "/proc");
  if (procPlace !== undefined) mounts.mount(kernel.makeProc(process), procPlace, "proc", "proc");
  const cwd = walkTo(process, nameFromText(options.cwd));
  if (cwd === undefined || !(cwd.inode instanceof MemoryDirectory)) {
    return { kind: "bad-path", what: options.cwd };
  }
  process.running.paths.setCurrent(cwd);

  const program = nameFromText(options.argv[0] ?? "");
  const location = walkTo(process, program);
  const encoder = new TextEncoder();
  const error =
    location === undefined
      ? ENOENT
      : execute(kernel, thread, {
          path: program,
          location,
          argv: options.argv.map((text) => encoder.encode(text)),
          environment: options.env.map((text) => encoder.encode(text)),
        });
  if (isError(error)) return { kind: "not-started", what: options.argv[0] ?? "", error };
  thread.context = kernel.cpu.saveContext();
  kernel.enqueue(thread);
  return process;
}

function walkTo(process: Process, path: string) {
  const { mounts, paths } = process.running;
  const context = { namespace: mounts, root: paths.root, credentials: process.credentials };
  const found = walk(context, paths.current, path, true);
  return typeof found === "number" ? undefined : found.location;
}
