/**
 * What a whole PC has on its board beside the small one: HPET, power management, 8042, and the PCI bus.
 *
 * The I/O APIC is the interrupt controller's, since it must be there before any line is.
 */
import type { MmioRegion } from "@ringside/isa";
import { Hpet } from "./devices/hpet.ts";
import { KeyboardController } from "./devices/keyboard-controller.ts";
import { PowerManagement } from "./devices/power-management.ts";
import type { InterruptController } from "./interrupts/interrupt-controller.ts";
import { sciLine } from "./platform.ts";
import type { PortDevice } from "./ports.ts";
import type { ScheduledEvent, Timeline } from "./timeline.ts";

export interface ChipSetLines {
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

  constructor(timeline: Timeline, interrupts: InterruptController, lines: ChipSetLines) {
    this.#interrupts = interrupts;
    this.power = new PowerManagement(timeline, {
      setLine: (level) => interrupts.setLine(sciLine, level),
      onPowerOff: lines.onPowerOff,
      onReset: lines.onReset,
    });
    this.#keyboard = new KeyboardController(lines.onReset);
    this.#hpet = new Hpet(timeline, {
      pulseLine(line) {
        interrupts.setLine(line, true);
        interrupts.setLine(line, false);
      },
      pulsePin(pin) {
        interrupts.ioApic?.setPin(pin, true);
        interrupts.ioApic?.setPin(pin, false);
      },
      onLegacy: lines.onLegacyReplacement,
    });
  }

  get portDevices(): readonly PortDevice[] {
    return [this.power, this.#keyboard];
  }

  get mmio(): readonly MmioRegion[] {
    return [this.#hpet];
  }

  /** @returns false when the event is not for a device of the chip set. */
  dispatch({ device, event }: ScheduledEvent): boolean {
    if (device !== this.#hpet.name) return false;
    this.#hpet.onEvent(event);
    return true;
  }

  /** True when an event for a device here could interrupt the processor; undefined when it is for another. */
  canWake({ device, event }: ScheduledEvent): boolean | undefined {
    if (device !== this.#hpet.name) return undefined;
    const target = this.#hpet.target(event);
    if (target === undefined) return false;
    if ("line" in target) return this.#interrupts.isOpen(target.line);
    return this.#interrupts.ioApic?.isOpen(target.pin) ?? false;
  }

  reset(): void {
    this.power.reset();
    this.#keyboard.reset();
    this.#hpet.reset();
  }
}
