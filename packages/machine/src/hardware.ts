/** What a machine has beside the small board that benchmarks run on. */
import type { Disk } from "./virtio/block-device.ts";
import type { ConsoleLine } from "./virtio/console-device.ts";
import type { Share } from "./virtio/file-share-device.ts";
import type { NetworkCard } from "./virtio/network-device.ts";

/**
 * The whole PC: I/O APIC, HPET, ACPI, 8042, PCI, and what is plugged in. A machine without one is the small board:
 * 8259 pair, 8254, clock, serial port, local APIC.
 */
export interface Hardware {
  /** Whether ACPI tables are handed to the kernel. Default true. The hardware is there either way. */
  readonly acpi?: boolean;
  /** virtio disks, the first one first. What is in them outlasts a reset of the machine. */
  readonly disks?: readonly Disk[];
  /** Seed of a virtio entropy device, 32 bits; there is none without it. */
  readonly entropySeed?: number;
  /** virtio network cards, the first one first. */
  readonly networks?: readonly NetworkCard[];
  /** Folders that the machine can mount (virtio-fs); it can change those that allow it. */
  readonly shares?: readonly Share[];
  /** virtio consoles: hvc0 and on, in Linux. */
  readonly consoles?: readonly ConsoleLine[];
  /** Files of QEMU's firmware configuration device, by name. */
  readonly firmwareFiles?: ReadonlyMap<string, Uint8Array>;
}
