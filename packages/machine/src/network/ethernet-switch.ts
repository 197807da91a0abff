/**
 * A switch between machines: it learns which address is behind which port.
 *
 * IEEE 802.1D, clause 7.8, "The Learning Process": frames for addresses that are not known go to all other ports.
 */
import type { EthernetLink, EthernetPort } from "./ethernet-link.ts";

const addressesMaximum = 1024;

export class EthernetSwitch {
  readonly #ports: SwitchPort[] = [];
  readonly #learned = new Map<string, SwitchPort>();

  /** Another port, for one machine. */
  port(): EthernetLink {
    const added: SwitchPort = new SwitchPort(
      (frame) => this.#forward(added, frame),
      () => this.#ports.length > 1,
    );
    this.#ports.push(added);
    return added;
  }

  #forward(from: SwitchPort, frame: Uint8Array): void {
    if (frame.length < 14) return;
    const source = addressOf(frame, 6);
    const isGroup = ((frame[6] ?? 0) & 1) !== 0;
    if (!isGroup && (this.#learned.has(source) || this.#learned.size < addressesMaximum)) {
      this.#learned.set(source, from);
    }
    const target = this.#learned.get(addressOf(frame, 0));
    if (target === from) return;
    const targets = target === undefined ? this.#ports.filter((port) => port !== from) : [target];
    for (const port of targets) port.deliver(frame.slice());
  }
}

class SwitchPort implements EthernetLink {
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #hasOthers: () => boolean;
  #port: EthernetPort | undefined;

  constructor(onFrame: (frame: Uint8Array) => void, hasOthers: () => boolean) {
    this.#onFrame = onFrame;
    this.#hasOthers = hasOthers;
  }

  get awaitsHost(): boolean {
    return this.#hasOthers();
  }

  attach(port: EthernetPort): void {
    this.#port = port;
  }

  send(frame: Uint8Array): void {
    this.#onFrame(frame);
  }

  deliver(frame: Uint8Array): void {
    this.#port?.receive(frame);
  }

  onAlarm(): void {}

  reset(): void {}
}

function addressOf(frame: Uint8Array, offset: number): string {
  return frame.subarray(offset, offset + 6).join(":");
}
