/** Character devices without hardware: null, zero, full, random. Linux, Documentation/admin-guide/devices.txt, major 1. */
import { EFAULT, ENOSPC } from "../abi/errno.ts";
import type { RandomSource } from "../kernel/random.ts";
import type { Location } from "../namespaces/mount-namespace.ts";
import type { DeviceInode } from "./inode.ts";
import { OpenFile } from "./open-file.ts";
import type { Transfer } from "./transfer.ts";

/** Device number as st_rdev holds small ones: major in bits 15:8, minor in bits 7:0. */
export function deviceNumber(major: number, minor: number): number {
  return (major << 8) | minor;
}

export const DEVICE_NULL: number = deviceNumber(1, 3);
export const DEVICE_ZERO: number = deviceNumber(1, 5);
export const DEVICE_FULL: number = deviceNumber(1, 7);
export const DEVICE_RANDOM: number = deviceNumber(1, 8);
export const DEVICE_URANDOM: number = deviceNumber(1, 9);
export const DEVICE_TTY: number = deviceNumber(5, 0);
export const DEVICE_CONSOLE: number = deviceNumber(5, 1);

/** An open device of major 1. */
export class MemoryDeviceFile extends OpenFile {
  readonly inode: DeviceInode;
  readonly #random: RandomSource;

  constructor(
    inode: DeviceInode,
    flags: number,
    path: string,
    location: Location,
    random: RandomSource,
  ) {
    super(flags, path, location);
    this.inode = inode;
    this.#random = random;
    inode.acquire();
  }

  /** Whether this driver serves the device. */
  static serves(device: number): boolean {
    return [DEVICE_NULL, DEVICE_ZERO, DEVICE_FULL, DEVICE_RANDOM, DEVICE_URANDOM].includes(device);
  }

  override read(transfer: Transfer): number {
    const wanted = transfer.remaining;
    let moved = 0;
    switch (this.inode.representedDevice) {
      case DEVICE_NULL:
        return 0;
      case DEVICE_RANDOM:
      case DEVICE_URANDOM:
        while (transfer.remaining > 0 && !transfer.faulted) {
          moved += transfer.putBytes(this.#random.bytes(Math.min(transfer.remaining, 4096)));
        }
        break;
      default:
        moved = transfer.putZeros(wanted);
    }
    return moved === 0 && transfer.faulted ? EFAULT : moved;
  }

  override write(transfer: Transfer): number {
    return this.inode.representedDevice === DEVICE_FULL ? ENOSPC : transfer.remaining;
  }

  override readAt(transfer: Transfer, _position: number): number {
    return this.read(transfer);
  }

  override writeAt(transfer: Transfer, _position: number): number {
    return this.write(transfer);
  }

  override seek(_offset: number, _whence: number): number {
    return 0;
  }
}
