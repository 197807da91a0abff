/** The debug console of Bochs and QEMU at port 0xe9: each byte written is output; a read gives 0xe9, so that a guest can tell it is there. */
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";

export class DebugConsole implements PortDevice {
  readonly name = "debug-console";
  readonly ports: readonly PortRange[] = [{ base: 0xe9, count: 1, widthBytes: 1 }];
  readonly #onByte: (byte: number) => void;

  constructor(onByte: (byte: number) => void) {
    this.#onByte = onByte;
  }

  readPort(_port: number, _sizeBytes: AccessBytes): number {
    return 0xe9;
  }

  writePort(_port: number, _sizeBytes: AccessBytes, value: number): void {
    this.#onByte(value);
  }
}
