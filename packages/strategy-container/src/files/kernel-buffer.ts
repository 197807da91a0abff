/** A {@link Transfer} whose other side is a buffer of the kernel: for sendfile, the loader and files given by the host. */
import type { PhysicalMemory } from "../kernel/physical-memory.ts";
import type { Transfer } from "./transfer.ts";

export class KernelBuffer implements Transfer {
  readonly bytes: Uint8Array;
  /** Bytes moved so far. */
  position = 0;
  readonly faulted = false;
  readonly #memory: PhysicalMemory;

  constructor(memory: PhysicalMemory, bytes: Uint8Array) {
    this.#memory = memory;
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  putPhysical(physical: number, lengthBytes: number): number {
    return this.putBytes(this.#memory.read(physical, Math.min(lengthBytes, this.remaining)));
  }

  putBytes(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.remaining);
    this.bytes.set(count === bytes.length ? bytes : bytes.subarray(0, count), this.position);
    this.position += count;
    return count;
  }

  putZeros(lengthBytes: number): number {
    const count = Math.min(lengthBytes, this.remaining);
    this.bytes.fill(0, this.position, this.position + count);
    this.position += count;
    return count;
  }

  takePhysical(physical: number, lengthBytes: number): number {
    const taken = this.takeBytes(lengthBytes);
    this.#memory.write(physical, taken);
    return taken.length;
  }

  takeBytes(lengthBytes: number): Uint8Array {
    const count = Math.min(lengthBytes, this.remaining);
    const taken = this.bytes.subarray(this.position, this.position + count);
    this.position += count;
    return taken;
  }
}
