/**
 * The I/O APIC: 24 pins, each with an entry that says which interrupt it sends to which local APIC.
 *
 * Intel 82093AA data sheet (order number 290566), "Register Description" and "IOAPIC Redirection Table"; the remote IRR
 * of a level-triggered entry is cleared by the local APIC's end of interrupt.
 *
 * Differs from the 82093AA: entries in ExtINT, SMI and INIT mode send nothing.
 */
import type { MmioRegion } from "@ringside/isa";
import { deliveryMode, type InterruptMessage } from "./interrupt-message.ts";

/** Where the registers of the only I/O APIC lie. */
export const ioApicBase = 0xfec0_0000;
export const ioApicId = 1;
export const ioApicPins = 24;

const versionRegister = 0x11 | ((ioApicPins - 1) << 16);
const firstEntry = 0x10;

/** Bits of an entry's low half. */
const logical = 0x800;
const pending = 0x1000;
const remoteIrr = 0x4000;
const level = 0x8000;
const masked = 0x1_0000;
const readOnlyBits = pending | remoteIrr;

export class IoApic implements MmioRegion {
  readonly name = "io-apic";
  readonly base: number = ioApicBase;
  readonly sizeBytes = 4096;
  readonly #send: (message: InterruptMessage) => void;
  #selected = 0;
  #id = 0;
  readonly #low = new Uint32Array(ioApicPins);
  readonly #high = new Uint32Array(ioApicPins);
  /** Levels of the pins; an entry's polarity says which one asks. */
  readonly #pins: boolean[] = [];

  /** @param send Delivers a message to the local APICs. */
  constructor(send: (message: InterruptMessage) => void) {
    this.#send = send;
    this.reset();
  }

  reset(): void {
    this.#selected = 0;
    this.#id = ioApicId;
    this.#low.fill(masked);
    this.#high.fill(0);
    this.#pins.splice(0, ioApicPins, ...Array.from({ length: ioApicPins }, () => false));
  }

  /** True when an edge or level of this pin would reach a local APIC. */
  isOpen(pin: number): boolean {
    return ((this.#low[pin] ?? masked) & masked) === 0;
  }

  /** True when a pin would send an NMI, which wakes a processor that does not listen to interrupts. */
  get sendsNmis(): boolean {
    return this.#low.some((entry) => (entry & masked) === 0 && modeOf(entry) === deliveryMode.nmi);
  }

  /** @param asserted Whether the device asks; the wire's polarity is the entry's affair. */
  setPin(pin: number, asserted: boolean): void {
    const was = this.#pins[pin] ?? false;
    this.#pins[pin] = asserted;
    const entry = this.#low[pin] ?? masked;
    if ((entry & level) !== 0) this.#sendLevel(pin);
    else if (asserted && !was && (entry & masked) === 0) this.#deliver(pin);
  }

  /** A local APIC ended the service of a level-triggered vector. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < ioApicPins; pin += 1) {
      const entry = this.#low[pin] ?? masked;
      if ((entry & 0xff) !== vector || (entry & (level | remoteIrr)) !== (level | remoteIrr))
        continue;
      this.#low[pin] = entry & ~remoteIrr;
      this.#sendLevel(pin);
    }
  }

  read(offset: number, sizeBytes: 1 | 2 | 4): number {
    const value = this.#readAligned(offset & ~3);
    return sizeBytes === 4 ? value : (value >>> (8 * (offset & 3))) & (2 ** (8 * sizeBytes) - 1);
  }

  /** Registers take 32-bit accesses; the index register one of 8 bits too. */
  write(offset: number, sizeBytes: 1 | 2 | 4, value: number): void {
    if (offset === 0) this.#selected = value & 0xff;
    else if (offset === 0x10 && sizeBytes === 4) this.#writeSelected(value >>> 0);
  }

  #readAligned(offset: number): number {
    if (offset === 0) return this.#selected;
    return offset === 0x10 ? this.#readSelected() : 0;
  }

  #readSelected(): number {
    switch (this.#selected) {
      case 0: // IOAPICID
      case 2: // IOAPICARB
        return (this.#id << 24) >>> 0;
      case 1:
        return versionRegister;
      default: {
        const index = this.#selected - firstEntry;
        if (index < 0 || index >= 2 * ioApicPins) return 0;
        return (index & 1) === 0 ? (this.#low[index >> 1] ?? 0) : (this.#high[index >> 1] ?? 0);
      }
    }
  }

  #writeSelected(value: number): void {
    if (this.#selected === 0) this.#id = (value >>> 24) & 0xf;
    const index = this.#selected - firstEntry;
    if (index < 0 || index >= 2 * ioApicPins) return;
    const pin = index >> 1;
    if ((index & 1) !== 0) {
      this.#high[pin] = value & 0xff00_0000;
      return;
    }
    const kept = (this.#low[pin] ?? 0) & readOnlyBits;
    const next = (value & 0x1_ffff & ~readOnlyBits) | kept;
    // An entry that becomes edge-triggered forgets that it waits for an end of interrupt.
    this.#low[pin] = (next & level) === 0 ? next & ~remoteIrr : next;
    this.#sendLevel(pin);
  }

  #sendLevel(pin: number): void {
    const entry = this.#low[pin] ?? masked;
    const isReady = (entry & (level | masked | remoteIrr)) === level;
    if (!isReady || this.#pins[pin] !== true) return;
    if (this.#deliver(pin)) this.#low[pin] = entry | remoteIrr;
  }

  /** False for modes that send nothing. */
  #deliver(pin: number): boolean {
    const entry = this.#low[pin] ?? masked;
    const mode = modeOf(entry);
    const isFixed = mode === deliveryMode.fixed || mode === deliveryMode.lowestPriority;
    if (!isFixed && mode !== deliveryMode.nmi) return false;
    this.#send({
      destination: (this.#high[pin] ?? 0) >>> 24,
      isLogical: (entry & logical) !== 0,
      mode,
      vector: entry & 0xff,
      isLevel: isFixed && (entry & level) !== 0,
    });
    return isFixed;
  }
}

function modeOf(entry: number): number {
  return (entry >>> 8) & 7;
}
