/**
 * ELF files: headers of static and dynamic x86-64 programs.
 *
 * System V ABI, "Object Files" and "Program Loading"; AMD64 supplement. A file is hostile: every offset is checked,
 * and what does not hold is ENOEXEC to the program, as in Linux, fs/binfmt_elf.c.
 */
import { PAGE_BYTES, USER_END } from "../abi/memory.ts";

export interface Segment {
  /** PF_X 1, PF_W 2, PF_R 4. */
  readonly flags: number;
  readonly offset: number;
  readonly linear: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

export interface ElfHeader {
  /** ET_DYN: may lie anywhere. */
  readonly relocatable: boolean;
  readonly entry: number;
  readonly programHeaderOffset: number;
  readonly programHeaderCount: number;
  readonly programHeaderBytes: number;
}

export interface ElfProgram {
  readonly segments: readonly Segment[];
  /** PT_INTERP: where the interpreter's path lies in the file. */
  readonly interpreter: { readonly offset: number; readonly lengthBytes: number } | undefined;
  /** PT_GNU_STACK asks for an executable stack. */
  readonly executableStack: boolean;
}

/** Bytes of the file header. */
export const ELF_HEADER_BYTES = 64;
export const PROGRAM_HEADER_BYTES = 56;
/** All program headers together must fit here, as Linux has it. */
const MAXIMUM_HEADERS_BYTES = 65_536;
const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_GNU_STACK = 0x6474_e551;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A 64-bit field as a number; inexact above 2^53, where the checks refuse it. */
function u64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true);
}

/** Reads the file header: the reason as text when it is not a program for this processor. */
export function parseHeader(bytes: Uint8Array): ElfHeader | string {
  if (bytes.length < ELF_HEADER_BYTES) return "the file is shorter than an ELF header";
  const view = viewOf(bytes);
  if (view.getUint32(0, false) !== 0x7f45_4c46) return "the magic number is not that of ELF";
  if (bytes[4] !== 2 || bytes[5] !== 1) return "not a 64-bit little-endian ELF file";
  const type = view.getUint16(16, true);
  if (type !== 2 && type !== 3) return `the ELF type ${type} is not a program's`;
  if (view.getUint16(18, true) !== 62) return "the program is for another processor";
  const programHeaderBytes = view.getUint16(54, true) * view.getUint16(56, true);
  if (view.getUint16(54, true) !== PROGRAM_HEADER_BYTES) return "program headers have another size";
  if (programHeaderBytes === 0 || programHeaderBytes > MAXIMUM_HEADERS_BYTES) {
    return "there are no program headers, or too many";
  }
  return {
    relocatable: type === 3,
    entry: u64(view, 24),
    programHeaderOffset: u64(view, 32),
    programHeaderCount: view.getUint16(56, true),
    programHeaderBytes,
  };
}

/** Reads the program headers: the reason as text when they cannot be loaded. */
export function parseProgram(header: ElfHeader, bytes: Uint8Array): ElfProgram | string {
  if (bytes.length < header.programHeaderBytes) return "the program headers are cut off";
  const view = viewOf(bytes);
  const segments: Segment[] = [];
  let interpreter: ElfProgram["interpreter"];
  let executableStack = false;
  for (let index = 0; index < header.programHeaderCount; index++) {
    const at = index * PROGRAM_HEADER_BYTES;
    const type = view.getUint32(at, true);
    const segment: Segment = {
      flags: view.getUint32(at + 4, true),
      offset: u64(view, at + 8),
      linear: u64(view, at + 16),
      fileBytes: u64(view, at + 32),
      memoryBytes: u64(view, at + 40),
    };
    if (type === PT_GNU_STACK) executableStack = (segment.flags & 1) !== 0;
    if (type === PT_INTERP) {
      if (segment.fileBytes < 2 || segment.fileBytes > PAGE_BYTES) return "a bad interpreter path";
      interpreter = { offset: segment.offset, lengthBytes: segment.fileBytes };
    }
    if (type !== PT_LOAD || segment.memoryBytes === 0) continue;
    if (segment.fileBytes > segment.memoryBytes) return "a segment is larger in the file";
    if (!(segment.linear + segment.memoryBytes <= USER_END)) return "a segment is out of reach";
    if (!(segment.offset + segment.fileBytes < 2 ** 52)) return "a segment lies outside any file";
    if (segment.offset % PAGE_BYTES !== segment.linear % PAGE_BYTES) {
      return "a segment's place in the page differs between file and memory";
    }
    const last = segments.at(-1);
    if (last !== undefined && segment.linear < last.linear) return "segments are not in order";
    segments.push(segment);
  }
  if (segments.length === 0) return "nothing is to be loaded";
  return { segments, interpreter, executableStack };
}
