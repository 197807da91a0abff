/**
 * The back end of the guest's console: one page with two rings of bytes, and an event channel.
 *
 * Xen, xen/include/public/io/console.h: 1024 bytes of input, 2048 of output, then four free-running indices. The guest
 * writes them too; what it says is taken modulo the rings.
 */
import type { MonitorWork } from "@ringside/hypervisor";
import type { PhysicalMemory } from "@ringside/isa";

const INPUT_BYTES = 1024;
const OUTPUT_BYTES = 2048;
/** Offsets in the page. */
const OUTPUT = 1024;
const INPUT_CONSUMED = 3072;
const INPUT_PRODUCED = 3076;
const OUTPUT_CONSUMED = 3080;
const OUTPUT_PRODUCED = 3084;

export interface ConsoleRingOptions {
  readonly memory: PhysicalMemory;
  readonly work: MonitorWork;
  readonly onOutput: (bytes: Uint8Array) => void;
}

export class ConsoleRing {
  /** Physical address of the page. */
  page = 0;
  readonly #options: ConsoleRingOptions;
  #incoming: Uint8Array[] = [];
  /** Bytes of the first piece that are in the ring already. */
  #taken = 0;
  #waiting = 0;

  constructor(options: ConsoleRingOptions) {
    this.#options = options;
  }

  /** Bytes that were sent and that the guest has not read yet. */
  get unreadBytes(): number {
    return this.#waiting + this.#inputUsed();
  }

  /** True when bytes wait for room in the ring. */
  get hasWaiting(): boolean {
    return this.#waiting > 0;
  }

  reset(): void {
    this.#incoming = [];
    this.#taken = 0;
    this.#waiting = 0;
  }

  /** Takes bytes for the guest; they are copied. */
  send(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#incoming.push(bytes.slice());
    this.#waiting += bytes.length;
  }

  /** Takes what the guest has written. True when there was any. */
  drain(): boolean {
    const { memory, work, onOutput } = this.#options;
    const produced = memory.readU32(this.page + OUTPUT_PRODUCED);
    const consumed = memory.readU32(this.page + OUTPUT_CONSUMED);
    const count = Math.min((produced - consumed) >>> 0, OUTPUT_BYTES);
    if (count === 0) return false;
    const bytes = new Uint8Array(count);
    for (let index = 0; index < count; index += 1) {
      bytes[index] = memory.readU8(this.page + OUTPUT + ((consumed + index) % OUTPUT_BYTES));
    }
    memory.writeU32(this.page + OUTPUT_CONSUMED, produced);
    work.add("mappedWords", Math.ceil(count / 8) + 2);
    onOutput(bytes);
    return true;
  }

  /** Moves bytes into the ring as far as there is room. True when there were any. */
  fill(): boolean {
    const { memory, work } = this.#options;
    let produced = memory.readU32(this.page + INPUT_PRODUCED);
    let moved = 0;
    for (let room = INPUT_BYTES - this.#inputUsed(); room > 0; room -= 1) {
      const byte = this.#next();
      if (byte === undefined) break;
      memory.writeU8(this.page + (produced % INPUT_BYTES), byte);
      produced = (produced + 1) >>> 0;
      moved += 1;
    }
    if (moved === 0) return false;
    memory.writeU32(this.page + INPUT_PRODUCED, produced);
    work.add("mappedWords", Math.ceil(moved / 8) + 2);
    return true;
  }

  #inputUsed(): number {
    const { memory } = this.#options;
    const produced = memory.readU32(this.page + INPUT_PRODUCED);
    const consumed = memory.readU32(this.page + INPUT_CONSUMED);
    return Math.min((produced - consumed) >>> 0, INPUT_BYTES);
  }

  #next(): number | undefined {
    const piece = this.#incoming[0];
    if (piece === undefined) return undefined;
    const byte = piece[this.#taken];
    this.#taken += 1;
    this.#waiting -= 1;
    if (this.#taken === piece.length) {
      this.#incoming.shift();
      this.#taken = 0;
    }
    return byte;
  }
}
