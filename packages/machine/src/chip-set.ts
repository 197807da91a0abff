/**
 * What a whole PC has on its board beside the small one: HPET, power management, 8042, and the PCI bus.
 *
 * The I/O APIC is the interrupt controller's, since it must be there before any line is.
 */
import type { MmioRegion } from "@ringside/isa";
import type { DmaMemory } from "./dma.ts";
import { FirmwareConfiguration } from "./devices/firmware-configuration.ts";
import { Hpet } from "./devices/hpet.ts";
import { KeyboardController } from "./devices/keyboard-controller.ts";
import { PowerManagement } from "./devices/power-management.ts";
import type { Hardware } from "./hardware.ts";
import type { InterruptController } from "./interrupts/interrupt-controller.ts";
import { PciHost } from "./pci/pci-host.ts";
import { pciLines, sciLine } from "./platform.ts";
import type { PortDevice } from "./ports.ts";
import type { ScheduledEvent, Timeline } from "./timeline.ts";
import { BlockDevice } from "./virtio/block-device.ts";
import { EntropyDevice } from "./virtio/entropy-device.ts";
import { ConsoleDevice } from "./virtio/console-device.ts";
import { FileShareDevice } from "./virtio/file-share-device.ts";
import { NetworkDevice } from "./virtio/network-device.ts";
import type { VirtioDevice } from "./virtio/virtio-device.ts";
import { VirtioPci } from "./virtio/virtio-pci.ts";

export interface ChipSetOptions {
  readonly timeline: Timeline;
  readonly interrupts: InterruptController;
  /** What devices read and write on their own. */
  readonly dma: DmaMemory;
  readonly hardware: Hardware;
  readonly onPowerOff: () => void;
  readonly onReset: () => void;
  /** The HPET takes the lines of 8254 and clock, or gives them back. */
  readonly onLegacyReplacement: (isReplaced: boolean) => void;
}

export class ChipSet {
  readonly power: PowerManagement;
  readonly #interrupts: InterruptController;
  readonly #hpet: Hpet;
  readonly #keyboard: KeyboardController;
  readonly #pci: PciHost;
  readonly #virtio: VirtioPci[] = [];
  readonly #entropy: EntropyDevice | undefined;
  readonly #networks: NetworkDevice[] = [];
  readonly #consoles: ConsoleDevice[] = [];
  readonly #firmware: FirmwareConfiguration;

  constructor(options: ChipSetOptions) {
    const { timeline, interrupts, dma, hardware } = options;
    this.#interrupts = interrupts;
    this.power = new PowerManagement(timeline, {
      setLine: (level) => interrupts.setLine(sciLine, level),
      onPowerOff: options.onPowerOff,
      onReset: options.onReset,
    });
    this.#keyboard = new KeyboardController(options.onReset);
    this.#hpet = new Hpet(timeline, {
      pulseLine(line) {
        interrupts.setLine(line, true);
        interrupts.setLine(line, false);
      },
      pulsePin(pin) {
        interrupts.ioApic?.setPin(pin, true);
        interrupts.ioApic?.setPin(pin, false);
      },
      onLegacy: options.onLegacyReplacement,
    });
    this.#firmware = new FirmwareConfiguration(dma, hardware.firmwareFiles);
    this.#pci = new PciHost(interrupts);
    const plug = (device: VirtioDevice): void => {
      this.#virtio.push(new VirtioPci(this.#pci, dma, device));
    };
    for (const disk of hardware.disks ?? []) plug(new BlockDevice(disk));
    if (hardware.entropySeed !== undefined) {
      this.#entropy = new EntropyDevice(hardware.entropySeed);
      plug(this.#entropy);
    }
    for (const [index, card] of (hardware.networks ?? []).entries()) {
      const device = new NetworkDevice(card, timeline, `network${index}`);
      this.#networks.push(device);
      plug(device);
    }
    for (const share of hardware.shares ?? []) plug(new FileShareDevice(share));
    for (const line of hardware.consoles ?? []) {
      const device = new ConsoleDevice(line);
      this.#consoles.push(device);
      plug(device);
    }
  }

  /** True while something may come from outside that only the host's time brings about. */
  get awaitsHost(): boolean {
    return this.#networks.some((device) => device.awaitsHost);
  }

  get portDevices(): readonly PortDevice[] {
    return [this.power, this.#keyboard, this.#firmware, this.#pci];
  }

  get mmio(): readonly MmioRegion[] {
    return [this.#hpet, this.#pci];
  }

  /** @returns false when the event is not for a device of the chip set. */
  dispatch({ device, event }: ScheduledEvent): boolean {
    if (device === this.#hpet.name) {
      this.#hpet.onEvent(event);
      return true;
    }
    const network = this.#networks.find(({ name }) => name === device);
    network?.onEvent();
    return network !== undefined;
  }

  /** True when an event for a device here could interrupt the processor; undefined when it is for another. */
  canWake({ device, event }: ScheduledEvent): boolean | undefined {
    // Frames may follow, and interrupt.
    if (this.#networks.some(({ name }) => name === device)) return true;
    if (device !== this.#hpet.name) return undefined;
    const target = this.#hpet.target(event);
    if (target === undefined) return false;
    if ("line" in target) return this.#interrupts.isOpen(target.line);
    return this.#interrupts.ioApic?.isOpen(target.pin) ?? false;
  }

  /** The interrupt controllers were reset before. */
  reset(): void {
    this.#interrupts.setLevelTriggered([sciLine, ...pciLines]);
    this.power.reset();
    this.#keyboard.reset();
    this.#hpet.reset();
    this.#pci.reset();
    for (const device of this.#virtio) device.reset();
    this.#entropy?.restart();
    this.#firmware.reset();
    for (const device of this.#networks) device.restart();
    for (const device of this.#consoles) device.restart();
  }
}
