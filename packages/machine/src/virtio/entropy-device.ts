/**
 * A source of entropy that repeats: all bytes follow from a seed, so that runs do too. Not for secrets.
 *
 * Virtual I/O Device (VIRTIO) Version 1.2, section 5.4, "Entropy Device".
 */
import type { VirtioDevice, VirtioPort } from "./virtio-device.ts";

const queueSize = 64;
/** Given at once; drivers ask again for more. */
const grantBytes = 256;

export class EntropyDevice implements VirtioDevice {
  readonly deviceType = 4;
  /** Unclassified. */
  readonly pciClass = 0xff_0000;
  readonly features = 0n;
  readonly queueSizes: readonly number[] = [queueSize];
  readonly configuration: Uint8Array = new Uint8Array(0);
  readonly #seed: number;
  #state: number;
  #port: VirtioPort | undefined;

  /** @param seed 32 bits. */
  constructor(seed: number) {
    this.#seed = seed;
    this.#state = seed;
  }

  connect(port: VirtioPort): void {
    this.#port = port;
  }

  /** The driver's reset does not repeat the bytes; see {@link restart}. */
  reset(): void {}

  /** The machine starts anew, and so do the bytes. */
  restart(): void {
    this.#state = this.#seed;
  }

  onNotify(index: number): void {
    const queue = this.#port?.queues[index];
    for (const chain of queue?.chains() ?? []) {
      const bytes = new Uint8Array(Math.min(grantBytes, chain.writableBytes));
      for (let at = 0; at < bytes.length; at += 1) bytes[at] = this.#next();
      chain.write(bytes);
      queue?.use(chain);
    }
  }

  /** SplitMix32: the top byte of each output. */
  #next(): number {
    this.#state = (this.#state + 0x9e37_79b9) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 24;
  }
}
