/**
 * A console line beside the serial port, much faster for its guest.
 *
 * Virtual I/O Device (VIRTIO) Version 1.2, section 5.3, "Console Device": one port.
 */
import type { VirtioDevice, VirtioPort } from "./virtio-device.ts";

const receiveQueue = 0;
const transmitQueue = 1;
const queueSize = 128;
const configurationBytes = 12;

/** The host's end of a console line. */
export class ConsoleLine {
  readonly #onOutput: (bytes: Uint8Array) => void;
  #receive: ((bytes: Uint8Array) => void) | undefined;

  /** @param onOutput Gets what the machine writes; the bytes belong to it. */
  constructor(onOutput: (bytes: Uint8Array) => void) {
    this.#onOutput = onOutput;
  }

  /** Sends bytes to the machine; they are copied, and wait for a machine that does not read yet. */
  write(bytes: Uint8Array): void {
    this.#receive?.(bytes.slice());
  }

  /** For the device: gives where output goes. Once. */
  attach(receive: (bytes: Uint8Array) => void): (bytes: Uint8Array) => void {
    this.#receive = receive;
    return this.#onOutput;
  }
}

export class ConsoleDevice implements VirtioDevice {
  readonly deviceType = 3;
  /** Simple communication controller, other. */
  readonly pciClass = 0x07_8000;
  readonly features = 0n;
  readonly queueSizes: readonly number[] = [queueSize, queueSize];
  readonly configuration: Uint8Array = new Uint8Array(configurationBytes);
  readonly #send: (bytes: Uint8Array) => void;
  #input: Uint8Array[] = [];
  #port: VirtioPort | undefined;

  constructor(line: ConsoleLine) {
    this.#send = line.attach((bytes) => {
      if (bytes.length === 0) return;
      this.#input.push(bytes);
      const port = this.#port;
      if (port?.isLive === true) port.guard(() => this.#deliver());
    });
  }

  connect(port: VirtioPort): void {
    this.#port = port;
  }

  reset(): void {}

  /** The machine starts anew: what was written before is forgotten. */
  restart(): void {
    this.#input = [];
  }

  onNotify(index: number): void {
    if (index === receiveQueue) this.#deliver();
    else if (index === transmitQueue) this.#transmit();
  }

  #transmit(): void {
    const queue = this.#port?.queues[transmitQueue];
    for (const chain of queue?.chains() ?? []) {
      const bytes = chain.read();
      queue?.use(chain);
      if (bytes.length > 0) this.#send(bytes);
    }
  }

  #deliver(): void {
    if (this.#input.length === 0) return;
    const queue = this.#port?.queues[receiveQueue];
    for (const chain of queue?.chains() ?? []) {
      const next = this.#input.shift() ?? new Uint8Array(0);
      const taken = chain.write(next);
      queue?.use(chain);
      if (taken < next.length) this.#input.unshift(next.subarray(taken));
      if (this.#input.length === 0) return;
    }
  }
}
