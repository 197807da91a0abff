/**
 * The ACPI fixed hardware that a PC needs to switch itself off, and its reset register.
 *
 * ACPI 6.5, section 4.8.3, "Fixed Hardware Registers" (PM1 event and control, power management timer); 4.8.3.6, "Reset
 * Register". There is no system management mode, so ACPI is always enabled (SCI_EN reads 1).
 *
 * Differs from ACPI: the timer's carry raises no interrupt (TMR_STS stays 0), and sleep states but S5 do nothing.
 */
import {
  powerControlPort,
  powerEventPort,
  powerTimerPort,
  resetPort,
  resetValue,
  softOffType,
} from "../platform.ts";
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";
import type { Timeline } from "../timeline.ts";

/** Frequency of the power management timer in Hz. */
export const powerTimerHertz = 3_579_545;
const nanosecondsPerSecond = 1_000_000_000;

/** PM1 status and enable. */
const powerButton = 0x100;
/** Timer, global lock, power button, sleep button, clock: all can be enabled, though only the button ever happens. */
const events = 0x721;
/** PM1 control. */
const sciEnabled = 1;
const sleepEnable = 0x2000;

export interface PowerLines {
  /** Level of the system control interrupt. */
  readonly setLine: (level: boolean) => void;
  readonly onPowerOff: () => void;
  readonly onReset: () => void;
}

export class PowerManagement implements PortDevice {
  readonly name = "power-management";
  readonly ports: readonly PortRange[] = [
    { base: powerEventPort, count: 4, widthBytes: 2 },
    { base: powerControlPort, count: 2, widthBytes: 2 },
    { base: powerTimerPort, count: 4, widthBytes: 4 },
    { base: resetPort, count: 1, widthBytes: 1 },
  ];
  readonly #timeline: Timeline;
  readonly #lines: PowerLines;
  #status = 0;
  #enable = 0;
  #control = 0;
  #resetControl = 0;

  constructor(timeline: Timeline, lines: PowerLines) {
    this.#timeline = timeline;
    this.#lines = lines;
  }

  reset(): void {
    this.#status = 0;
    this.#enable = 0;
    this.#control = 0;
    this.#resetControl = 0;
    this.#updateLine();
  }

  /** True when the power button would interrupt the processor. */
  get listens(): boolean {
    return this.#enable !== 0;
  }

  /** The power button is pressed: an operating system that listens shuts down. */
  pressPowerButton(): void {
    this.#status |= powerButton;
    this.#updateLine();
  }

  readPort(port: number, sizeBytes: AccessBytes): number {
    const value = this.#read(port & ~3);
    return (value >>> (8 * (port & 3))) % 2 ** (8 * sizeBytes);
  }

  writePort(port: number, sizeBytes: AccessBytes, value: number): void {
    switch (port) {
      case resetPort:
        this.#resetControl = value;
        if ((value & resetValue) === resetValue) this.#lines.onReset();
        return;
      case powerEventPort: // Ones clear the status.
        this.#status &= ~value;
        break;
      case powerEventPort + 2:
        this.#enable = value & events;
        break;
      case powerEventPort + 3:
        if (sizeBytes === 1) this.#enable = (this.#enable & 0xff) | ((value << 8) & events);
        break;
      case powerEventPort + 1:
        if (sizeBytes === 1) this.#status &= ~(value << 8);
        break;
      case powerControlPort:
        this.#writeControl(sizeBytes === 1 ? (this.#control & 0xff00) | value : value);
        break;
      case powerControlPort + 1:
        this.#writeControl((this.#control & 0xff) | (value << 8));
        break;
    }
    this.#updateLine();
  }

  #read(port: number): number {
    switch (port) {
      case powerEventPort:
        return (this.#status | (this.#enable << 16)) >>> 0;
      case powerControlPort:
        return this.#control | sciEnabled;
      case powerTimerPort:
        return timerTicks(this.#timeline.now);
      default: // The reset register is the byte at an odd port.
        return this.#resetControl << (8 * (resetPort & 3));
    }
  }

  #writeControl(value: number): void {
    this.#control = value & ~sleepEnable;
    const isSoftOff = ((value >> 10) & 7) === softOffType;
    if ((value & sleepEnable) !== 0 && isSoftOff) this.#lines.onPowerOff();
  }

  #updateLine(): void {
    this.#lines.setLine((this.#status & this.#enable) !== 0);
  }
}

/** The timer's 32 bits. */
function timerTicks(nanoseconds: number): number {
  const seconds = Math.floor(nanoseconds / nanosecondsPerSecond);
  const rest = nanoseconds - seconds * nanosecondsPerSecond;
  const ticks =
    seconds * powerTimerHertz + Math.floor((rest * powerTimerHertz) / nanosecondsPerSecond);
  return ticks % 2 ** 32;
}
