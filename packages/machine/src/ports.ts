/**
 * The port bus: which device answers at which of the 65,536 I/O addresses.
 *
 * Most devices of a PC sit behind an 8-bit bus: a wider access reaches them as several of one byte at
 * successive ports, the lowest first. Where no device answers, reads give all ones and writes are lost.
 */
import type { PortIo } from "@ringside/isa";

/** Size of one access in bytes. */
export type AccessBytes = 1 | 2 | 4;

export interface PortDevice {
  /** Unique in its machine; also the device's name on the {@link Timeline}. */
  readonly name: string;
  readonly ports: readonly PortRange[];
  /** @param port Absolute port number, within {@link ports}. The result is cut to the size. */
  readPort(port: number, sizeBytes: AccessBytes): number;
  writePort(port: number, sizeBytes: AccessBytes, value: number): void;
}

export interface PortRange {
  readonly base: number;
  readonly count: number;
  /** The widest access that arrives in one piece. */
  readonly widthBytes: AccessBytes;
}

interface Attached {
  readonly device: PortDevice;
  readonly widthBytes: AccessBytes;
}

export class PortBus implements PortIo {
  readonly #attached = new Map<number, Attached>();

  /** @throws {RangeError} when a port is taken or beyond 0xffff. */
  attach(device: PortDevice): void {
    for (const { base, count, widthBytes } of device.ports) {
      for (let port = base; port < base + count; port += 1) {
        const other = this.#attached.get(port);
        if (other !== undefined || port > 0xffff) {
          throw new RangeError(
            `The port 0x${port.toString(16)} of ${device.name} ${other === undefined ? "does not exist" : `belongs to ${other.device.name}`}.`,
          );
        }
        this.#attached.set(port, { device, widthBytes });
      }
    }
  }

  read(port: number, sizeBytes: AccessBytes): number {
    const attached = this.#attached.get(port);
    if (sizeBytes === 1 || (attached !== undefined && sizeBytes <= attached.widthBytes)) {
      return attached?.device.readPort(port, sizeBytes) ?? 0xff;
    }
    let value = 0;
    for (let byte = 0; byte < sizeBytes; byte += 1) {
      value += this.read((port + byte) & 0xffff, 1) * 256 ** byte;
    }
    return value;
  }

  /** Bits of `value` beyond the size are ignored. */
  write(port: number, sizeBytes: AccessBytes, value: number): void {
    const attached = this.#attached.get(port);
    if (sizeBytes === 1 || (attached !== undefined && sizeBytes <= attached.widthBytes)) {
      attached?.device.writePort(port, sizeBytes, (value >>> 0) % 2 ** (8 * sizeBytes));
      return;
    }
    for (let byte = 0; byte < sizeBytes; byte += 1) {
      this.write((port + byte) & 0xffff, 1, (value >>> (8 * byte)) & 0xff);
    }
  }
}
