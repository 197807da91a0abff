/**
 * Port 0x80, which shows the progress of firmware on a POST card and which kernels use for short delays.
 *
 * On a PC it is an unused page register of the DMA controller, so it holds what was written.
 */
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";

export class PostPort implements PortDevice {
  readonly name = "post-port";
  readonly ports: readonly PortRange[] = [{ base: 0x80, count: 1, widthBytes: 1 }];
  #value = 0;

  readPort(_port: number, _sizeBytes: AccessBytes): number {
    return this.#value;
  }

  writePort(_port: number, _sizeBytes: AccessBytes, value: number): void {
    this.#value = value;
  }

  reset(): void {
    this.#value = 0;
  }
}
