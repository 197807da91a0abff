/**
 * The machine's physical memory as the kernel uses it: words and copies by physical address.
 *
 * A subset of isa's interface, so that the kernel's memory code depends on nothing else of a processor.
 */
export interface PhysicalMemory {
  readonly sizeBytes: number;
  /** Holds physical address 0 at {@link baseOffset}. For reading only: writes go through the methods. */
  readonly buffer: ArrayBuffer;
  readonly baseOffset: number;
  writeU32(physical: number, value: number): void;
  /** A copy of `lengthBytes` bytes. */
  read(physical: number, lengthBytes: number): Uint8Array;
  write(physical: number, bytes: Uint8Array): void;
  fill(physical: number, value: number, lengthBytes: number): void;
  copy(from: number, to: number, lengthBytes: number): void;
}
