/**
 * ELF executables for x86, 32 and 64 bits, as boot loaders need them.
 *
 * System V Application Binary Interface, chapters "Object Files" (ELF header, notes) and "Program Loading"
 * (program header). Section headers are not looked at.
 */
import { ByteReader } from "./byte-reader.ts";

export interface ElfSegment {
  /** Where its bytes lie in the file. */
  readonly fileOffset: number;
  readonly fileBytes: number;
  readonly linear: bigint;
  readonly physical: number;
  /** At least {@link fileBytes}; the rest is zero. */
  readonly memoryBytes: number;
  /** PF_X: the file says that there is code in it. */
  readonly isExecutable: boolean;
}

export interface ElfNote {
  /** Without its terminator. */
  readonly name: string;
  readonly type: number;
  readonly descriptor: Uint8Array;
}

export interface Elf {
  readonly bits: 32 | 64;
  /** e_entry. */
  readonly entry: bigint;
  /** PT_LOAD entries that occupy memory, in the file's order. */
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
}

const typeExecutable = 2;
const typeDynamic = 3;
const machine386 = 3;
const machineX86_64 = 62;
const segmentLoad = 1;
const segmentNote = 4;
const flagExecutable = 1;
/** In all notes of a file, which may overlap: kernels have a few hundred bytes. */
const noteBytesMaximum = 1 << 16;

/** True when the file begins as an ELF does. */
export function isElf(image: Uint8Array): boolean {
  return image[0] === 0x7f && image[1] === 0x45 && image[2] === 0x4c && image[3] === 0x46;
}

/** @throws {ImageError} when the file is no ELF executable for x86 or is cut short. */
export function parseElf(image: Uint8Array): Elf {
  const file = new ByteReader("ELF", image);
  file.require(0, 20, "an ELF identification");
  if (!isElf(image)) throw file.error(0, "the magic 7f 45 4c 46", hex(image.subarray(0, 4)));
  const bits = image[4] === 1 ? 32 : 64;
  if (image[4] !== 1 && image[4] !== 2) throw file.error(4, "class 1 or 2", String(image[4]));
  if (image[5] !== 1) throw file.error(5, "little-endian data (1)", String(image[5]));

  const type = file.u16(16, "e_type");
  if (type !== typeExecutable && type !== typeDynamic) {
    throw file.error(16, "an executable (e_type 2 or 3)", String(type));
  }
  const machine = file.u16(18, "e_machine");
  const wanted = bits === 64 ? machineX86_64 : machine386;
  if (machine !== wanted) {
    throw file.error(18, `e_machine ${wanted} (x86)`, `${machine}, another architecture's`);
  }

  const wide = bits === 64;
  const entry = wide ? file.u64(24, "e_entry") : BigInt(file.u32(24, "e_entry"));
  const tableOffset = wide ? file.size64(32, "e_phoff") : file.u32(28, "e_phoff");
  const entryBytes = file.u16(wide ? 54 : 42, "e_phentsize");
  const entryCount = file.u16(wide ? 56 : 44, "e_phnum");
  const headerBytes = wide ? 56 : 32;
  if (entryCount > 0 && entryBytes < headerBytes) {
    throw file.error(wide ? 54 : 42, `e_phentsize of at least ${headerBytes}`, String(entryBytes));
  }

  const segments: ElfSegment[] = [];
  const notes: ElfNote[] = [];
  let noteBytes = 0;
  for (let index = 0; index < entryCount; index += 1) {
    const at = tableOffset + index * entryBytes;
    const what = `program header ${index}`;
    file.require(at, headerBytes, what);
    const kind = file.u32(at, what);
    if (kind !== segmentLoad && kind !== segmentNote) continue;
    const segment = wide ? segment64(file, at, what) : segment32(file, at, what);
    file.require(segment.fileOffset, segment.fileBytes, `the contents of ${what}`);
    if (kind === segmentNote) {
      noteBytes += segment.fileBytes;
      if (noteBytes > noteBytesMaximum) {
        throw file.error(at, `at most ${noteBytesMaximum} bytes of notes`, `${noteBytes}`);
      }
      notes.push(...readNotes(file, segment));
    } else if (segment.memoryBytes > 0) {
      if (segment.memoryBytes < segment.fileBytes) {
        throw file.error(
          at,
          `p_memsz of at least p_filesz (${segment.fileBytes})`,
          String(segment.memoryBytes),
        );
      }
      segments.push(segment);
    }
  }
  return { bits, entry, segments, notes };
}

function segment64(file: ByteReader, at: number, what: string): ElfSegment {
  return {
    fileOffset: file.size64(at + 8, `p_offset of ${what}`),
    linear: file.u64(at + 16, `p_vaddr of ${what}`),
    physical: file.size64(at + 24, `p_paddr of ${what}`),
    fileBytes: file.size64(at + 32, `p_filesz of ${what}`),
    memoryBytes: file.size64(at + 40, `p_memsz of ${what}`),
    isExecutable: (file.u32(at + 4, `p_flags of ${what}`) & flagExecutable) !== 0,
  };
}

function segment32(file: ByteReader, at: number, what: string): ElfSegment {
  return {
    fileOffset: file.u32(at + 4, `p_offset of ${what}`),
    linear: BigInt(file.u32(at + 8, `p_vaddr of ${what}`)),
    physical: file.u32(at + 12, `p_paddr of ${what}`),
    fileBytes: file.u32(at + 16, `p_filesz of ${what}`),
    memoryBytes: file.u32(at + 20, `p_memsz of ${what}`),
    isExecutable: (file.u32(at + 24, `p_flags of ${what}`) & flagExecutable) !== 0,
  };
}

/** Name size, descriptor size, type, then name and descriptor, each padded to 4 bytes. */
function readNotes(file: ByteReader, segment: ElfSegment): ElfNote[] {
  const notes: ElfNote[] = [];
  const end = segment.fileOffset + segment.fileBytes;
  let at = segment.fileOffset;
  while (at + 12 <= end) {
    const nameBytes = file.u32(at, "a note's name size");
    const descriptorBytes = file.u32(at + 4, "a note's descriptor size");
    const type = file.u32(at + 8, "a note's type");
    const nameAt = at + 12;
    const descriptorAt = nameAt + padded(nameBytes);
    if (descriptorAt + descriptorBytes > end) {
      throw file.error(at, `a note that ends by 0x${end.toString(16)}`, "one that is longer");
    }
    const name = new TextDecoder().decode(file.slice(nameAt, nameBytes, "a note's name"));
    notes.push({
      name: name.replace(/\0+$/, ""),
      type,
      descriptor: file.slice(descriptorAt, descriptorBytes, "a note's descriptor"),
    });
    at = descriptorAt + padded(descriptorBytes);
  }
  return notes;
}

function padded(lengthBytes: number): number {
  return Math.ceil(lengthBytes / 4) * 4;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
