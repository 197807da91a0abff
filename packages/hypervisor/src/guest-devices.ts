/**
 * A guest's own devices behind its ports and its device memory, and the guest's physical address space as a whole.
 *
 * Where neither RAM nor a device is, reads give all ones and writes are lost, as on a bus that nobody answers.
 */
import type { MmioRegion } from "@ringside/isa";
import type { Board } from "@ringside/machine";
import type { GuestMemory } from "./guest-memory.ts";

export class GuestDevices {
  readonly board: Board;
  /** Told of each access to physical addresses that are not RAM. */
  onDeviceMemory: (() => void) | undefined;
  readonly #memory: GuestMemory;
  readonly #regions: readonly MmioRegion[];

  constructor(board: Board, memory: GuestMemory) {
    this.board = board;
    this.#memory = memory;
    this.#regions = board.mmio;
  }

  readPort(port: number, sizeBytes: 1 | 2 | 4): number {
    return this.board.ports.read(port, sizeBytes);
  }

  writePort(port: number, sizeBytes: 1 | 2 | 4, value: number): void {
    this.board.ports.write(port, sizeBytes, value);
  }

  /** Fills `bytes` from RAM or a device; at most 16 of them, in one page. */
  readPhysical(gpa: number, bytes: Uint8Array): void {
    if (this.#memory.isRam(gpa)) {
      this.#memory.read(gpa, bytes);
      return;
    }
    this.onDeviceMemory?.();
    const region = this.#regionAt(gpa);
    bytes.fill(0xff);
    if (region === undefined) return;
    for (const { at, sizeBytes } of pieces(bytes.length)) {
      const value = region.read(gpa + at - region.base, sizeBytes);
      for (let byte = 0; byte < sizeBytes; byte += 1) {
        bytes[at + byte] = (value >>> (8 * byte)) & 0xff;
      }
    }
  }

  writePhysical(gpa: number, bytes: Uint8Array): void {
    if (this.#memory.isRam(gpa)) {
      this.#memory.write(gpa, bytes);
      return;
    }
    this.onDeviceMemory?.();
    const region = this.#regionAt(gpa);
    if (region === undefined) return;
    for (const { at, sizeBytes } of pieces(bytes.length)) {
      let value = 0;
      for (let byte = 0; byte < sizeBytes; byte += 1) {
        value |= (bytes[at + byte] ?? 0) << (8 * byte);
      }
      region.write(gpa + at - region.base, sizeBytes, value >>> 0);
    }
  }

  #regionAt(gpa: number): MmioRegion | undefined {
    return this.#regions.find(({ base, sizeBytes }) => gpa >= base && gpa < base + sizeBytes);
  }
}

/** Devices answer accesses of 1, 2 and 4 bytes; what is wider arrives in pieces, the lowest first. */
function* pieces(
  lengthBytes: number,
): Generator<{ readonly at: number; readonly sizeBytes: 1 | 2 | 4 }> {
  for (let at = 0; at < lengthBytes;) {
    const left = lengthBytes - at;
    const sizeBytes = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    yield { at, sizeBytes };
    at += sizeBytes;
  }
}
