/** A port that ends the machine, as QEMU's isa-debug-exit: any write stops it with the value written. */
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";

export class ExitPort implements PortDevice {
  readonly name = "exit-port";
  readonly ports: readonly PortRange[] = [{ base: 0xf4, count: 4, widthBytes: 4 }];
  readonly #onExit: (value: number) => void;

  /** @param onExit Called with the value, 0 to 0xffff_ffff. */
  constructor(onExit: (value: number) => void) {
    this.#onExit = onExit;
  }

  readPort(_port: number, _sizeBytes: AccessBytes): number {
    return 0;
  }

  writePort(_port: number, _sizeBytes: AccessBytes, value: number): void {
    this.#onExit(value >>> 0);
  }
}
