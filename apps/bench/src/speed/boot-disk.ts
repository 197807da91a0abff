/**
 * A disk that starts a kernel, for machines that know no other way.
 *
 * Memory is laid out here, by the loaders of the machine package, and the boot sector of the guest package copies it
 * from the disk to its place. packages/guest/boot/disk.S describes the disk's sectors and what the boot sector takes.
 */
import { diskBootSector } from "@ringside/guest";
import { ImageError, loadKernel, type BootTarget } from "@ringside/machine";

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;
const PAGE_SECTORS = PAGE_BYTES / SECTOR_BYTES;
/** EIP, EBX, the pieces and the end of them. */
const PIECES_MAXIMUM = SECTOR_BYTES / 8 - 2;
/** Pages that the boot sector works in: its stack, itself and the table; what it has just read. */
const TAKEN = [
  { from: 0x7000, to: 0x8000 },
  { from: 0x1_0000, to: 0x2_0000 },
] as const;
const CYLINDER_SECTORS = 16 * 63;

export interface DiskGuest {
  /** ELF with a PVH entry. */
  readonly kernel: Uint8Array;
  readonly commandLine: string;
  readonly initrd: Uint8Array;
}

/** A raw image of a hard disk, whole cylinders of 16 heads and 63 sectors. */
export interface BootDisk {
  readonly bytes: Uint8Array;
  readonly cylinders: number;
}

/**
 * Lays the guest out for a machine with that much memory.
 *
 * @throws {ImageError} The kernel or the initrd is malformed or does not fit.
 */
export function bootDisk(
  { kernel, commandLine, initrd }: DiskGuest,
  memoryBytes: number,
): BootDisk {
  const memory = new SparseMemory();
  const entry = loadKernel(memory, memoryBytes, {
    image: kernel,
    format: "pvh",
    commandLine,
    initrd,
  });
  if (entry.mode !== "protected")
    throw new Error("[ringside/bench] A PVH kernel is entered in protected mode.");
  const pieces = memory.pieces();
  checkPieces(pieces);

  const used = 2 + pieces.reduce((sum, { pages }) => sum + pages.length * PAGE_SECTORS, 0);
  const cylinders = Math.ceil(used / CYLINDER_SECTORS);
  const bytes = new Uint8Array(cylinders * CYLINDER_SECTORS * SECTOR_BYTES);
  bytes.set(diskBootSector());
  const table = new DataView(bytes.buffer, SECTOR_BYTES, SECTOR_BYTES);
  table.setUint32(0, entry.eip, true);
  table.setUint32(4, entry.ebx, true);
  let offset = 2 * SECTOR_BYTES;
  for (const [index, { physical, pages }] of pieces.entries()) {
    table.setUint32(8 + 8 * index, physical, true);
    table.setUint32(12 + 8 * index, pages.length * PAGE_SECTORS, true);
    for (const page of pages) {
      bytes.set(page, offset);
      offset += PAGE_BYTES;
    }
  }
  return { bytes, cylinders };
}

interface Piece {
  readonly physical: number;
  readonly pages: readonly Uint8Array[];
}

function checkPieces(pieces: readonly Piece[]): void {
  if (pieces.length > PIECES_MAXIMUM) {
    throw new ImageError(
      "boot disk",
      0,
      `at most ${PIECES_MAXIMUM} pieces of memory`,
      String(pieces.length),
    );
  }
  for (const { physical, pages } of pieces) {
    const end = physical + pages.length * PAGE_BYTES;
    const taken = TAKEN.find(({ from, to }) => physical < to && from < end);
    if (taken === undefined) continue;
    const place = `0x${taken.from.toString(16)} to 0x${taken.to.toString(16)}`;
    throw new ImageError(
      "boot disk",
      0,
      `nothing at ${place}, which the boot sector takes`,
      `bytes at 0x${physical.toString(16)}`,
    );
  }
}

/** Memory of which only the pages exist that something was written to. */
class SparseMemory implements BootTarget {
  readonly #pages = new Map<number, Uint8Array>();

  write(physical: number, bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      const at = physical + done;
      const inPage = at % PAGE_BYTES;
      const part = bytes.subarray(done, done + PAGE_BYTES - inPage);
      this.#page(at - inPage).set(part, inPage);
      done += part.length;
    }
  }

  fill(physical: number, value: number, lengthBytes: number): void {
    this.write(physical, new Uint8Array(lengthBytes).fill(value));
  }

  /** Neighbouring pages together, in the order of addresses. */
  pieces(): readonly Piece[] {
    const pieces: { readonly physical: number; readonly pages: Uint8Array[] }[] = [];
    for (const [physical, page] of [...this.#pages].toSorted(([a], [b]) => a - b)) {
      const last = pieces.at(-1);
      if (last !== undefined && last.physical + last.pages.length * PAGE_BYTES === physical)
        last.pages.push(page);
      else pieces.push({ physical, pages: [page] });
    }
    return pieces;
  }

  #page(physical: number): Uint8Array {
    const page = this.#pages.get(physical) ?? new Uint8Array(PAGE_BYTES);
    this.#pages.set(physical, page);
    return page;
  }
}
