/**
 * execve: replaces the program of a process.
 *
 * The new address space is built beside the old one, which is given up only when nothing can fail any more; so every
 * failure is an error number to the caller. Linux, fs/exec.c, fs/binfmt_elf.c, fs/binfmt_script.c; execve(2).
 */
import {
  EACCES,
  E2BIG,
  EIO,
  ELOOP,
  ENOENT,
  ENOEXEC,
  ENOMEM,
  ETXTBSY,
  isError,
} from "../abi/errno.ts";
import { S_ISGID, S_ISUID } from "../abi/files.ts";
import { PAGE_BYTES, PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/memory.ts";
import { decodeName } from "../files/file-name.ts";
import { RegularInode, type Inode } from "../files/inode.ts";
import { KernelBuffer } from "../files/kernel-buffer.ts";
import { walk } from "../files/path-walk.ts";
import type { Location } from "../namespaces/mount-namespace.ts";
import { AddressSpace, roundUp } from "./address-space.ts";
import { mayAccess } from "./credentials.ts";
import {
  ELF_HEADER_BYTES,
  parseHeader,
  parseProgram,
  PROGRAM_HEADER_BYTES,
  type ElfHeader,
  type ElfProgram,
  type Segment,
} from "./elf.ts";
import { endOtherThreads, releaseMemory } from "./exit.ts";
import type { Kernel } from "./kernel.ts";
import { RLIMIT_STACK } from "./limits.ts";
import type { Process } from "./process.ts";
import type { Thread } from "./thread.ts";

/** Bytes of a file that decide what it is (BINPRM_BUF_SIZE). */
const HEAD_BYTES = 256;
/** Interpreters of interpreters. */
const MAXIMUM_SCRIPTS = 5;
const STACK_TOP = 0x7fff_ffff_f000;
/** Room below the first stack pointer that exists from the start. */
const STACK_HEADROOM_BYTES = 128 * 1024;
/** Where position-independent programs lie without address randomization. */
const RELOCATABLE_BASE = 0x5555_5555_4000;
/** Longest string of arguments and environment, its NUL included (MAX_ARG_STRLEN). */
export const STRING_MAXIMUM = 131_072;
/** All strings and their pointers together (a quarter of the usual stack). */
export const STRINGS_MAXIMUM: number = 2 * 1024 * 1024;

/** Auxiliary vector types. Linux, include/uapi/linux/auxvec.h. */
const AT_PHDR = 3;
const AT_PHENT = 4;
const AT_PHNUM = 5;
const AT_PAGESZ = 6;
const AT_BASE = 7;
const AT_FLAGS = 8;
const AT_ENTRY = 9;
const AT_UID = 11;
const AT_EUID = 12;
const AT_GID = 13;
const AT_EGID = 14;
const AT_PLATFORM = 15;
const AT_HWCAP = 16;
const AT_CLKTCK = 17;
const AT_SECURE = 23;
const AT_RANDOM = 25;
const AT_HWCAP2 = 26;
const AT_EXECFN = 31;
const AT_MINSIGSTKSZ = 51;
/** Clock ticks a second, as times(2) counts. */
const CLOCK_TICKS = 100;

interface Image {
  readonly location: Location;
  readonly inode: RegularInode;
  readonly header: ElfHeader;
  readonly program: ElfProgram;
  readonly path: string;
}

export interface ExecuteRequest {
  /** Path as it was given: what AT_EXECFN and a script's interpreter get. */
  readonly path: string;
  readonly location: Location;
  readonly argv: readonly Uint8Array[];
  readonly environment: readonly Uint8Array[];
}

/** Runs another program in the thread's process. Gives 0, with the registers set, or an error number. */
export function execute(kernel: Kernel, thread: Thread, request: ExecuteRequest): number {
  const { process } = thread;
  const resolved = resolveScripts(kernel, process, request);
  if (typeof resolved === "number") return resolved;
  const image = readImage(kernel, resolved.location, resolved.path);
  if (typeof image === "number") return image;

  let interpreter: Image | undefined;
  if (image.program.interpreter !== undefined) {
    const loaded = readInterpreter(kernel, process, image);
    if (typeof loaded === "number") return loaded;
    interpreter = loaded;
  }
  const space = AddressSpace.create(kernel, process.group);
  if (space === undefined) return ENOMEM;
  const start = buildSpace(kernel, process, space, image, interpreter, resolved, request.path);
  if (typeof start === "number") {
    space.release();
    return start;
  }
  commit(kernel, thread, space, image);
  kernel.cpu.enterProgram(space.tables.root, start.entry, start.stack);
  kernel.counts.execs++;
  return 0;
}

/** Follows `#!` lines to the program that is really run, with its arguments. */
function resolveScripts(
  kernel: Kernel,
  process: Process,
  request: ExecuteRequest,
): ExecuteRequest | number {
  let { path, location, argv } = request;
  for (let depth = 0; depth <= MAXIMUM_SCRIPTS; depth++) {
    const { inode } = location;
    if (!(inode instanceof RegularInode) || !mayAccess(process.credentials, inode, 1)) {
      return EACCES;
    }
    if (inode.writers > 0) return ETXTBSY;
    const head = readBytes(kernel, inode, 0, HEAD_BYTES);
    if (head[0] !== 0x23 || head[1] !== 0x21) return { ...request, path, location, argv };
    const line = scriptLine(head);
    if (line === undefined) return ENOEXEC;
    argv = [
      line.interpreter,
      ...(line.argument === undefined ? [] : [line.argument]),
      nameBytes(path),
      ...argv.slice(1),
    ];
    path = decodeName(line.interpreter);
    const found = resolve(process, path);
    if (typeof found === "number") return found;
    location = found;
  }
  return ELOOP;
}

function nameBytes(path: string): Uint8Array {
  return Uint8Array.from(path, (character) => character.charCodeAt(0));
}

/** Interpreter and its one optional argument, which may hold spaces. Undefined: no interpreter, or the line is too long. */
function scriptLine(
  head: Uint8Array,
): { interpreter: Uint8Array; argument: Uint8Array | undefined } | undefined {
  const isBlank = (byte: number | undefined) => byte === 0x20 || byte === 0x09;
  let end = head.indexOf(0x0a);
  if (end < 0) end = head.indexOf(0) < 0 ? head.length : head.indexOf(0);
  while (end > 2 && isBlank(head[end - 1])) end--;
  let start = 2;
  while (start < end && isBlank(head[start])) start++;
  if (start >= end) return undefined;
  let stop = start;
  while (stop < end && !isBlank(head[stop])) stop++;
  // The name fills the buffer: it was cut.
  if (stop === HEAD_BYTES) return undefined;
  let argument = stop;
  while (argument < end && isBlank(head[argument])) argument++;
  return {
    interpreter: head.slice(start, stop),
    argument: argument < end ? head.slice(argument, end) : undefined,
  };
}

function resolve(process: Process, path: string): Location | number {
  const { mounts, paths } = process.running;
  const context = { namespace: mounts, root: paths.root, credentials: process.credentials };
  const found = walk(context, paths.current, path, true);
  if (typeof found === "number") return found;
  return found.location ?? ENOENT;
}

function readBytes(
  kernel: Kernel,
  inode: RegularInode,
  offset: number,
  length: number,
): Uint8Array {
  const available = Math.max(0, Math.min(length, inode.sizeBytes - offset));
  const buffer = new KernelBuffer(kernel.frames.memory, new Uint8Array(available));
  const moved = inode.read(buffer, offset);
  return buffer.bytes.subarray(0, moved);
}

function readImage(kernel: Kernel, location: Location, path: string): Image | number {
  const { inode } = location;
  if (!(inode instanceof RegularInode)) return EACCES;
  const header = parseHeader(readBytes(kernel, inode, 0, ELF_HEADER_BYTES));
  if (typeof header === "string") return ENOEXEC;
  if (!(header.programHeaderOffset < 2 ** 52)) return ENOEXEC;
  const bytes = readBytes(kernel, inode, header.programHeaderOffset, header.programHeaderBytes);
  const program = parseProgram(header, bytes);
  if (typeof program === "string") return ENOEXEC;
  return { location, inode, header, program, path };
}

function readInterpreter(kernel: Kernel, process: Process, image: Image): Image | number {
  const place = image.program.interpreter;
  if (place === undefined) return ENOEXEC;
  const bytes = readBytes(kernel, image.inode, place.offset, place.lengthBytes);
  const end = bytes.indexOf(0);
  if (end < 1) return ENOEXEC;
  const path = decodeName(bytes.subarray(0, end));
  const location = resolve(process, path);
  if (typeof location === "number") return location;
  if (!mayAccess(process.credentials, location.inode, 1)) return EACCES;
  const loaded = readImage(kernel, location, path);
  if (typeof loaded === "number") return loaded === ENOEXEC ? EIO : loaded;
  return loaded.header.relocatable ? loaded : EIO;
}

interface Start {
  readonly entry: number;
  readonly stack: number;
}

function buildSpace(
  kernel: Kernel,
  process: Process,
  space: AddressSpace,
  image: Image,
  interpreter: Image | undefined,
  request: ExecuteRequest,
  givenPath: string,
): Start | number {
  const bias = image.header.relocatable ? RELOCATABLE_BASE - firstPage(image.program) : 0;
  const end = mapImage(space, image, bias);
  if (isError(end)) return end;
  space.brkStart = end;
  space.brkEnd = end;
  let base = 0;
  let entry = image.header.entry + bias;
  if (interpreter !== undefined) {
    const start = firstPage(interpreter.program);
    const gap = space.findGap(lastPage(interpreter.program) - start);
    if (gap === 0) return ENOMEM;
    base = gap - start;
    const mapped = mapImage(space, interpreter, base);
    if (isError(mapped)) return mapped;
    entry = interpreter.header.entry + base;
  }
  space.stackLimitBytes = process.limits[RLIMIT_STACK]?.soft ?? 8 * 1024 * 1024;
  const stack = buildStack(
    kernel,
    process,
    space,
    request,
    givenPath,
    {
      [AT_HWCAP]: kernel.cpu.featureWord,
      [AT_PAGESZ]: PAGE_BYTES,
      [AT_CLKTCK]: CLOCK_TICKS,
      [AT_PHDR]: headersAddress(image, bias),
      [AT_PHENT]: PROGRAM_HEADER_BYTES,
      [AT_PHNUM]: image.header.programHeaderCount,
      [AT_BASE]: base,
      [AT_FLAGS]: 0,
      [AT_ENTRY]: image.header.entry + bias,
    },
    image.program.executableStack,
  );
  if (isError(stack)) return stack;
  return { entry, stack };
}

function firstPage(program: ElfProgram): number {
  const linear = program.segments[0]?.linear ?? 0;
  return linear - (linear % PAGE_BYTES);
}

function lastPage(program: ElfProgram): number {
  return Math.max(
    ...program.segments.map(({ linear, memoryBytes }) => roundUp(linear + memoryBytes)),
  );
}

/** Where the program headers are in memory: in the segment that holds their place in the file. */
function headersAddress({ header, program }: Image, bias: number): number {
  const at = header.programHeaderOffset;
  const holder = program.segments.find(
    ({ offset, fileBytes }) => at >= offset && at < offset + fileBytes,
  );
  return holder === undefined ? 0 : at - holder.offset + holder.linear + bias;
}

/** Maps the segments; gives the end of the last one, page-aligned, or an error number. */
function mapImage(space: AddressSpace, image: Image, bias: number): number {
  let end = 0;
  for (const segment of image.program.segments) {
    const failure = mapSegment(space, image, segment, segment.linear + bias);
    if (failure !== 0) return failure;
    end = Math.max(end, roundUp(segment.linear + bias + segment.memoryBytes));
  }
  return end;
}

function mapSegment(
  space: AddressSpace,
  image: Image,
  { flags, offset, fileBytes, memoryBytes }: Segment,
  linear: number,
): number {
  const protection =
    ((flags & 4) === 0 ? 0 : PROT_READ) |
    ((flags & 2) === 0 ? 0 : PROT_WRITE) |
    ((flags & 1) === 0 ? 0 : PROT_EXEC);
  const start = linear - (linear % PAGE_BYTES);
  const fileEnd = fileBytes === 0 ? start : roundUp(linear + fileBytes);
  const end = roundUp(linear + memoryBytes);
  if (AddressSpace.checkRange(start, end - start) !== 0 || start < PAGE_BYTES) return ENOEXEC;
  // Segments may share a page; the later one wins, as with MAP_FIXED.
  const cleared = space.unmap(start, end);
  if (cleared !== 0) return cleared;
  const common = { protection, shared: false, growsDown: false };
  if (fileEnd > start) {
    const source = { inode: image.inode, offset: offset - (offset % PAGE_BYTES) };
    const failure = space.map({ ...common, start, end: fileEnd, source, name: image.path });
    if (failure !== 0) return failure;
    const zeros = memoryBytes > fileBytes ? fileEnd - (linear + fileBytes) : 0;
    // What follows the file's bytes in their last page belongs to .bss, and the rest of the page is zero too: loaders
    // use it. A file that is cut off before is not a program.
    if (zeros > 0 && (flags & 2) !== 0 && !space.clear(linear + fileBytes, zeros)) {
      return space.outOfMemory ? ENOMEM : ENOEXEC;
    }
  }
  if (end <= fileEnd) return 0;
  return space.map({ ...common, start: fileEnd, end, source: undefined, name: "" });
}

/** Lays out strings and vectors; gives the first stack pointer or an error number. */
function buildStack(
  kernel: Kernel,
  process: Process,
  space: AddressSpace,
  { argv, environment }: ExecuteRequest,
  givenPath: string,
  auxiliary: Record<number, number>,
  executable: boolean,
): number {
  const strings = [...argv, ...environment, nameBytes(givenPath)];
  const stringBytes = strings.reduce((sum, { length }) => sum + length + 1, 0);
  const stringsStart = STACK_TOP - 8 - stringBytes;
  const random = stringsStart - 16;
  const platform = random - 16;
  const { credentials } = process;
  const vector: [number, number][] = [
    ...Object.entries(auxiliary).map(([type, value]): [number, number] => [Number(type), value]),
    [AT_UID, credentials.user],
    [AT_EUID, credentials.effectiveUser],
    [AT_GID, credentials.group],
    [AT_EGID, credentials.effectiveGroup],
    [AT_SECURE, 0],
    [AT_RANDOM, random],
    [AT_HWCAP2, 0],
    [AT_EXECFN, STACK_TOP - 8 - (givenPath.length + 1)],
    [AT_PLATFORM, platform],
    // The frame itself, its red zone and alignment.
    [AT_MINSIGSTKSZ, 1232],
    [0, 0],
  ];
  const words = 1 + argv.length + 1 + environment.length + 1 + vector.length * 2;
  const stack = Math.floor((platform - words * 8) / 16) * 16;
  const size = STACK_TOP - stack;
  if (size > STRINGS_MAXIMUM + 65_536 || size > space.stackLimitBytes) return E2BIG;

  const failure = space.map({
    start: Math.floor((stack - STACK_HEADROOM_BYTES) / PAGE_BYTES) * PAGE_BYTES,
    end: STACK_TOP,
    protection: PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0),
    shared: false,
    growsDown: true,
    source: undefined,
    name: "[stack]",
  });
  if (failure !== 0) return failure;

  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const word = (value: number) => {
    view.setUint32(at, value >>> 0, true);
    view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
    at += 8;
  };
  let string = stringsStart;
  const pointers = (list: readonly Uint8Array[]) => {
    for (const text of list) {
      word(string);
      bytes.set(text, string - stack);
      string += text.length + 1;
    }
    word(0);
  };
  word(argv.length);
  space.argumentsStart = string;
  pointers(argv);
  space.argumentsEnd = string;
  pointers(environment);
  space.environmentEnd = string;
  bytes.set(nameBytes(givenPath), string - stack);
  for (const [type, value] of vector) {
    word(type);
    word(value);
  }
  bytes.set(nameBytes("x86_64"), platform - stack);
  bytes.set(kernel.random.bytes(16), random - stack);
  return space.put(stack, bytes) ? stack : ENOMEM;
}

/** Gives up the old program. Nothing fails from here on. */
function commit(kernel: Kernel, thread: Thread, space: AddressSpace, image: Image): void {
  const { process } = thread;
  const parts = process.running;
  endOtherThreads(kernel, thread);
  if (thread.id !== process.id) {
    process.pids.threads.delete(thread.id);
    thread.id = process.id;
    process.pids.threads.set(thread.id, thread);
  }
  releaseMemory(kernel, process);
  parts.space = space;
  if (parts.descriptors.references > 1) {
    const copy = parts.descriptors.copy();
    parts.descriptors.release();
    parts.descriptors = copy;
  }
  parts.descriptors.closeForExec();
  if (parts.actions.references > 1) {
    parts.actions.references--;
    parts.actions = parts.actions.copy();
  }
  parts.actions.resetForExec();
  thread.alternateStack = undefined;
  thread.clearAtExit = 0;
  thread.robustList = 0;
  for (const { timer } of process.posixTimers.values()) {
    if (timer !== undefined) kernel.timers.cancel(timer);
  }
  process.posixTimers.clear();
  process.executable = image.location;
  process.executablePath = image.path;
  process.hasExecuted = true;
  process.name = image.path.slice(image.path.lastIndexOf("/") + 1).slice(0, 15);
  gainIdentity(process, image.inode);
}

/** Set-user-ID and set-group-ID programs. */
function gainIdentity(process: Process, inode: Inode): void {
  const { credentials } = process;
  if (!process.noNewPrivileges) {
    if ((inode.mode & S_ISUID) !== 0) credentials.effectiveUser = inode.user;
    if ((inode.mode & S_ISGID) !== 0 && (inode.mode & 0o010) !== 0) {
      credentials.effectiveGroup = inode.group;
    }
  }
  credentials.savedUser = credentials.effectiveUser;
  credentials.savedGroup = credentials.effectiveGroup;
}
