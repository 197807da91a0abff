/**
 * The pair of 8259A interrupt controllers of a PC: 15 lines, the slave on line 2 of the master.
 *
 * Intel 8259A data sheet (order number 231468), "Programming the 8259A" (ICW1 to ICW4), "Operation Command
 * Words" (OCW1 to OCW3); Intel 82371SB (PIIX3) data sheet, "ELCR1, ELCR2" for the edge/level registers.
 *
 * Differs from the 8259A: the MCS-80 mode (ICW4.uPM = 0) and the special fully nested mode do not exist.
 */
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";

/** One 8259A. */
class Chip {
  /** Interrupt request register. */
  irr = 0;
  /** In-service register. */
  isr = 0;
  /** Interrupt mask register. */
  imr = 0;
  /** Present levels of the eight inputs. */
  lines = 0;
  /** Vector of input 0, a multiple of 8. */
  vectorBase = 0;
  /** Edge/level control: a set bit makes the input level-triggered. */
  elcr = 0;
  /** Input of the highest priority. */
  #highest = 0;
  #autoEoi = false;
  #rotateOnAutoEoi = false;
  #specialMask = false;
  /** OCW3 RIS: reads give the ISR instead of the IRR. */
  #readIsr = false;
  #poll = false;
  /** The next ICW that port 1 expects; 0 when initialized. */
  #nextIcw: 0 | 2 | 3 | 4 = 0;
  #needsIcw4 = false;

  reset(): void {
    this.irr = 0;
    this.isr = 0;
    this.imr = 0;
    this.#highest = 0;
    this.#autoEoi = false;
    this.#rotateOnAutoEoi = false;
    this.#specialMask = false;
    this.#readIsr = false;
    this.#poll = false;
    this.#nextIcw = 0;
  }

  setLine(input: number, level: boolean): void {
    const bit = 1 << input;
    const rises = level && (this.lines & bit) === 0;
    this.lines = level ? this.lines | bit : this.lines & ~bit;
    if ((this.elcr & bit) !== 0) {
      this.irr = level ? this.irr | bit : this.irr & ~bit;
    } else if (rises) {
      this.irr |= bit;
    } else if (!level) {
      // An edge must stay high until it is acknowledged, "IR Triggering Timing Requirements".
      this.irr &= ~bit;
    }
  }

  /** The input that may interrupt now, or -1. */
  pending(): number {
    const waiting = this.irr & ~this.imr;
    if (waiting === 0) return -1;
    // In special mask mode, an input in service that is masked does not hold the others back.
    const serving = this.#specialMask ? this.isr & ~this.imr : this.isr;
    for (let step = 0; step < 8; step += 1) {
      const input = (this.#highest + step) & 7;
      if ((serving & (1 << input)) !== 0) return -1;
      if ((waiting & (1 << input)) !== 0) return input;
    }
    return -1;
  }

  acknowledge(input: number): void {
    const bit = 1 << input;
    if (this.#autoEoi) {
      if (this.#rotateOnAutoEoi) this.#highest = (input + 1) & 7;
    } else {
      this.isr |= bit;
    }
    if ((this.elcr & bit) === 0) this.irr &= ~bit;
  }

  /** Port 0: commands. */
  writeCommand(value: number): void {
    if ((value & 0x10) !== 0) {
      // ICW1. The edge sense circuits are reset: lines that are high make no edge.
      this.reset();
      this.irr = this.lines & this.elcr;
      this.#needsIcw4 = (value & 1) !== 0;
      this.#nextIcw = 2;
    } else if ((value & 0x08) !== 0) {
      // OCW3.
      this.#poll = (value & 0x04) !== 0;
      if ((value & 0x02) !== 0) this.#readIsr = (value & 0x01) !== 0;
      if ((value & 0x40) !== 0) this.#specialMask = (value & 0x20) !== 0;
    } else {
      this.#endOfInterrupt(value >> 5, value & 7);
    }
  }

  /** OCW2: bits R, SL, EOI, and a level. */
  #endOfInterrupt(command: number, level: number): void {
    switch (command) {
      case 0:
      case 4:
        this.#rotateOnAutoEoi = command === 4;
        break;
      case 1: // non-specific EOI
      case 5: {
        const input = this.#highestInService();
        if (input < 0) break;
        this.isr &= ~(1 << input);
        if (command === 5) this.#highest = (input + 1) & 7;
        break;
      }
      case 3: // specific EOI
        this.isr &= ~(1 << level);
        break;
      case 6: // set priority
        this.#highest = (level + 1) & 7;
        break;
      case 7: // rotate on specific EOI
        this.isr &= ~(1 << level);
        this.#highest = (level + 1) & 7;
        break;
      default: // 2: no operation
    }
  }

  #highestInService(): number {
    for (let step = 0; step < 8; step += 1) {
      const input = (this.#highest + step) & 7;
      if ((this.isr & (1 << input)) !== 0) return input;
    }
    return -1;
  }

  /** Port 1: the mask, or the initialization words after ICW1. */
  writeData(value: number): void {
    switch (this.#nextIcw) {
      case 0:
        this.imr = value;
        break;
      case 2:
        this.vectorBase = value & 0xf8;
        this.#nextIcw = 3;
        break;
      case 3:
        // The wiring of master and slave is fixed on a PC.
        this.#nextIcw = this.#needsIcw4 ? 4 : 0;
        break;
      case 4:
        this.#autoEoi = (value & 0x02) !== 0;
        this.#nextIcw = 0;
        break;
    }
  }

  /** Port 0: the poll word once after a poll command, else IRR or ISR. */
  readCommand(): number {
    if (this.#poll) {
      this.#poll = false;
      const input = this.pending();
      if (input < 0) return 0;
      this.acknowledge(input);
      return 0x80 | input;
    }
    return this.#readIsr ? this.isr : this.irr;
  }
}

const cascade = 2;

export class Pic implements PortDevice {
  readonly name = "pic";
  readonly ports: readonly PortRange[] = [
    { base: 0x20, count: 2, widthBytes: 1 },
    { base: 0xa0, count: 2, widthBytes: 1 },
    { base: 0x4d0, count: 2, widthBytes: 1 },
  ];
  readonly #master = new Chip();
  readonly #slave = new Chip();
  readonly #onOutput: (asserted: boolean) => void;
  #output = false;

  /** @param onOutput Called when the INT output of the master changes. */
  constructor(onOutput: (asserted: boolean) => void) {
    this.#onOutput = onOutput;
  }

  /** The INT output of the master. */
  get output(): boolean {
    return this.#output;
  }

  /** @param line 0 to 15. Line 2 is the slave's and ignored. */
  setLine(line: number, level: boolean): void {
    if (line < 8) {
      if (line !== cascade) this.#master.setLine(line, level);
    } else {
      this.#slave.setLine(line - 8, level);
    }
    this.#update();
  }

  /** True when a request of the line would reach the INT output, in-service state aside. */
  isOpen(line: number): boolean {
    const master = line < 8 ? line : cascade;
    if ((this.#master.imr & (1 << master)) !== 0) return false;
    return line < 8 || (this.#slave.imr & (1 << (line - 8))) === 0;
  }

  /** The two INTA cycles: gives the vector. A request that went away gives the spurious vector of input 7. */
  acknowledge(): number {
    const input = this.#master.pending();
    let vector = this.#master.vectorBase + 7;
    if (input >= 0) {
      this.#master.acknowledge(input);
      vector = this.#master.vectorBase + input;
      if (input === cascade) {
        const behind = this.#slave.pending();
        if (behind >= 0) this.#slave.acknowledge(behind);
        // The slave's INT falls with the acknowledge; when more is pending, its rise is a new edge.
        this.#master.setLine(cascade, false);
        vector = this.#slave.vectorBase + (behind >= 0 ? behind : 7);
      }
    }
    this.#update();
    return vector;
  }

  readPort(port: number, _sizeBytes: AccessBytes): number {
    let value: number;
    switch (port) {
      case 0x20:
        value = this.#master.readCommand();
        break;
      case 0x21:
        value = this.#master.imr;
        break;
      case 0xa0:
        value = this.#slave.readCommand();
        break;
      case 0xa1:
        value = this.#slave.imr;
        break;
      case 0x4d0:
        value = this.#master.elcr;
        break;
      default:
        value = this.#slave.elcr;
    }
    this.#update(); // A poll acknowledges.
    return value;
  }

  writePort(port: number, _sizeBytes: AccessBytes, value: number): void {
    switch (port) {
      case 0x20:
        this.#master.writeCommand(value);
        break;
      case 0x21:
        this.#master.writeData(value);
        break;
      case 0xa0:
        this.#slave.writeCommand(value);
        break;
      case 0xa1:
        this.#slave.writeData(value);
        break;
      case 0x4d0:
        this.#master.elcr = value & 0xf8; // Timer, keyboard and cascade are edges.
        break;
      default:
        this.#slave.elcr = value & 0xde; // Clock and coprocessor are edges.
    }
    this.#update();
  }

  reset(): void {
    for (const chip of [this.#master, this.#slave]) {
      chip.reset();
      chip.lines = 0;
      chip.elcr = 0;
      chip.vectorBase = 0;
    }
    this.#update();
  }

  #update(): void {
    this.#master.setLine(cascade, this.#slave.pending() >= 0);
    const output = this.#master.pending() >= 0;
    if (output === this.#output) return;
    this.#output = output;
    this.#onOutput(output);
  }
}
