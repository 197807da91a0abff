/**
 * The local APIC of one processor: 4 KiB of 32-bit registers at 0xfee0_0000, or model-specific registers in x2APIC mode.
 *
 * Intel SDM Vol. 3A, chapter "Advanced Programmable Interrupt Controller (APIC)"; section titles are cited at
 * the registers.
 *
 * Differs from the SDM: the registers of the local APIC stay at their first address; IA32_APIC_BASE does not move them.
 */
import type { MmioRegion } from "@ringside/isa";
import type { Timeline } from "../timeline.ts";
import { ApicTimer } from "./apic-timer.ts";
import { deliveryMode, messageBase, type InterruptMessage } from "./interrupt-message.ts";
import { VectorSet } from "./vector-set.ts";
import {
  logicalX2ApicId,
  x2ApicCommand,
  x2ApicCommandReserved,
  x2ApicFirstMsr,
  x2ApicLastMsr,
  x2ApicRegister,
  x2ApicSelf,
} from "./x2apic.ts";

/** Where the registers lie after reset. */
export const localApicBase: number = messageBase;

/** Index of a local vector table entry; the register is at 0x320 + 16 * index. */
const lvtTimer = 0;
const lvtDeadline = 0x4_0000;
const lvtLint0 = 3;
const lvtLint1 = 4;
const lvtError = 5;

const masked = 0x1_0000;
/** Bits of each LVT register that software can write; the timer's bit 18 needs the TSC deadline. */
const lvtWritable = [0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff] as const;

const baseMsr = 0x1b;
const deadlineMsr = 0x6e0;
const apicEnable = 0x800n;
const x2ApicEnable = 0x400n;
const bootstrapProcessor = 0x100n;

/** Bits of the error status register, "Error Handling". */
const sendIllegalVector = 0x20;
const receivedIllegalVector = 0x40;
const illegalRegister = 0x80;

export interface LocalApicLines {
  /** Something may have changed that decides whether the processor is interrupted. */
  readonly onChange: () => void;
  /** An NMI arrives, from the LINT1 pin or from an interrupt command. */
  readonly onNmi: () => void;
  /** The service of a level-triggered interrupt has ended: its I/O APIC may send it again. */
  readonly onEndOfInterrupt?: (vector: number) => void;
  /** What the guest has added to the time-stamp counter; 0 without it. */
  readonly timestampOffset?: () => bigint;
}

/** What CPUID says that it has. */
export interface LocalApicFeatures {
  readonly x2Apic: boolean;
  readonly tscDeadline: boolean;
}

export class LocalApic implements MmioRegion {
  readonly name = "local-apic";
  readonly base: number = localApicBase;
  readonly sizeBytes = 4096;
  readonly #lines: LocalApicLines;
  readonly #timer: ApicTimer;
  /** Set by whoever knows the processor, before anything runs. */
  features: LocalApicFeatures = { x2Apic: false, tscDeadline: false };

  /** IA32_APIC_BASE bit 10. */
  #isX2Apic = false;
  /** IA32_APIC_BASE bit 11. */
  #enabled = true;
  #id = 0;
  #taskPriority = 0;
  #logicalDestination = 0;
  #destinationFormat = 0xffff_ffff;
  #spurious = 0xff;
  #errors = 0;
  /** Errors as of the last write to the status register. */
  #latchedErrors = 0;
  #commandLow = 0;
  #commandHigh = 0;
  readonly #irr = new VectorSet();
  readonly #isr = new VectorSet();
  /** Trigger modes: the accepted vectors that are level-triggered. */
  readonly #tmr = new VectorSet();
  readonly #lvt: number[] = [];

  constructor(timeline: Timeline, lines: LocalApicLines) {
    this.#lines = lines;
    this.#timer = new ApicTimer({
      timeline,
      name: this.name,
      timestampOffset: () => lines.timestampOffset?.() ?? 0n,
    });
    this.reset();
  }

  /**
   * As firmware leaves it: LINT0 passes the 8259's requests on (virtual wire mode) and LINT1 is the NMI pin.
   * Straight after power-up all entries are masked, SDM Vol. 3A, "Local APIC State After Power-Up or Reset".
   */
  reset(): void {
    this.#isX2Apic = false;
    this.#enabled = true;
    this.#id = 0;
    this.#taskPriority = 0;
    this.#logicalDestination = 0;
    this.#destinationFormat = 0xffff_ffff;
    this.#spurious = 0xff;
    this.#errors = 0;
    this.#latchedErrors = 0;
    this.#commandLow = 0;
    this.#commandHigh = 0;
    this.#irr.clear();
    this.#isr.clear();
    this.#tmr.clear();
    this.#lvt.splice(0, 6, masked, masked, masked, 0x700, 0x400, masked);
    this.#timer.reset();
  }

  /** Whether the registers answer: bit 11 of IA32_APIC_BASE. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** True when INTR of the 8259 pair reaches the processor: LINT0 in ExtINT mode, or no APIC at all. */
  get passesExternal(): boolean {
    const lint0 = this.#lvt[lvtLint0] ?? masked;
    return !this.#enabled || (lint0 & 0x1_0700) === 0x700;
  }

  /** True when an interrupt of the timer, once due, could reach the processor. */
  get timerIsOpen(): boolean {
    return this.#softwareEnabled && ((this.#lvt[lvtTimer] ?? masked) & masked) === 0;
  }

  /** True when an interrupt waits that the priority lets through. */
  get isPending(): boolean {
    return this.#deliverable() >= 0;
  }

  /** Priority class of the highest interrupt that waits, whatever masks it; 0 when none does. */
  get waitingClass(): number {
    return this.#enabled ? Math.max(this.#irr.highest(), 0) >> 4 : 0;
  }

  /** A message from the bus, which may be for others. */
  accept(message: InterruptMessage): void {
    const { destination, isLogical, mode, vector, isLevel } = message;
    if (!this.#isAddressed(destination, isLogical)) return;
    if (mode === deliveryMode.nmi) this.#lines.onNmi();
    else if (mode === deliveryMode.fixed || mode === deliveryMode.lowestPriority) {
      this.request(vector, isLevel);
    }
  }

  /** "Interrupt Acceptance for Fixed Interrupts". Vectors below 16 are an error and never arrive. */
  request(vector: number, isLevel = false): void {
    if (!this.#softwareEnabled) return;
    if (vector < 16) {
      this.#error(receivedIllegalVector);
      return;
    }
    this.#irr.add(vector);
    if (isLevel) this.#tmr.add(vector);
    else this.#tmr.delete(vector);
    this.#lines.onChange();
  }

  /** Moves the deliverable interrupt into service; the spurious vector when there is none. */
  acknowledge(): number {
    const vector = this.#deliverable();
    if (vector < 0) return this.#spurious & 0xff;
    this.#irr.delete(vector);
    this.#isr.add(vector);
    this.#lines.onChange();
    return vector;
  }

  /** Level of the LINT1 pin rising, where a PC's chip set reports NMIs. */
  raiseLint1(): void {
    const entry = this.#lvt[lvtLint1] ?? masked;
    if ((entry & masked) !== 0) return;
    if ((entry & 0x700) === 0x400) this.#lines.onNmi();
    else if ((entry & 0x700) === 0) this.request(entry & 0xff);
  }

  /** CR8: bits 7:4 of the task priority. SDM Vol. 3A, "Interaction of Task Priorities between CR8 and APIC". */
  readTaskPriority(): number {
    return this.#taskPriority >> 4;
  }

  writeTaskPriority(value: number): void {
    this.#taskPriority = (value & 15) << 4;
    this.#lines.onChange();
  }

  /** A register of the APIC among the processor's model-specific ones; undefined when there is no such. */
  readMsr(index: number): bigint | undefined {
    if (index === baseMsr) return this.readBaseMsr();
    if (index === deadlineMsr) {
      return this.features.tscDeadline ? this.#timer.deadline : undefined;
    }
    if (!this.#isX2Apic || index < x2ApicFirstMsr || index > x2ApicLastMsr) return undefined;
    if (index === x2ApicCommand)
      return (BigInt(this.#commandHigh) << 32n) | BigInt(this.#commandLow);
    const register = x2ApicRegister(index);
    if (register?.isReadable !== true) return undefined;
    return BigInt(this.#readRegister(register.offset));
  }

  /** Undefined when there is no such register, false when it refuses the value: both are #GP(0). */
  writeMsr(index: number, value: bigint): boolean | undefined {
    if (index === baseMsr) return this.writeBaseMsr(value);
    if (index === deadlineMsr) {
      if (!this.features.tscDeadline) return undefined;
      this.#timer.deadline = value;
      return true;
    }
    if (!this.#isX2Apic || index < x2ApicFirstMsr || index > x2ApicLastMsr) return undefined;
    if (index === x2ApicCommand) {
      if ((value & x2ApicCommandReserved) !== 0n) return false;
      this.#commandHigh = Number(value >> 32n);
      this.#writeRegister(0x300, Number(value & 0xffff_ffffn));
    } else if (index === x2ApicSelf) {
      if (value > 0xffn) return false;
      this.#sendSelf(Number(value));
    } else {
      const writable = x2ApicRegister(index)?.writable;
      if (writable === undefined || (value & ~BigInt(writable)) !== 0n) return false;
      this.#writeRegister((index - x2ApicFirstMsr) * 16, Number(value));
    }
    this.#lines.onChange();
    return true;
  }

  /** IA32_APIC_BASE. */
  readBaseMsr(): bigint {
    const mode = (this.#enabled ? apicEnable : 0n) | (this.#isX2Apic ? x2ApicEnable : 0n);
    return BigInt(this.base) | bootstrapProcessor | mode;
  }

  /**
   * False when the value has reserved bits set, another base, or a change of mode that there is not, which make WRMSR
   * fault. "x2APIC State Transitions": x2APIC mode is entered from xAPIC mode, and left by disabling.
   */
  writeBaseMsr(value: bigint): boolean {
    const writable = apicEnable | bootstrapProcessor | (this.features.x2Apic ? x2ApicEnable : 0n);
    if ((value & ~writable) !== BigInt(this.base)) return false;
    const enabled = (value & apicEnable) !== 0n;
    const isX2Apic = (value & x2ApicEnable) !== 0n;
    if (isX2Apic && !this.#enabled) return false;
    if (isX2Apic && !enabled) return false;
    if (this.#isX2Apic && enabled && !isX2Apic) return false;
    if (this.#enabled && !enabled) {
      // The SDM requires a reset of the registers after this, "Enabling or Disabling the Local APIC".
      this.reset();
    }
    this.#enabled = enabled;
    this.#isX2Apic = isX2Apic;
    this.#lines.onChange();
    return true;
  }

  /** The timer is due. */
  onEvent(): void {
    const entry = this.#lvt[lvtTimer] ?? masked;
    if ((entry & masked) === 0) this.request(entry & 0xff);
    this.#timer.onEvent();
  }

  read(offset: number, sizeBytes: 1 | 2 | 4): number {
    if (!this.#answersMemory) return sizeBytes === 4 ? 0xffff_ffff : 2 ** (8 * sizeBytes) - 1;
    const value = this.#readRegister(offset & 0xff0);
    return sizeBytes === 4 ? value : (value >>> (8 * (offset & 3))) & (2 ** (8 * sizeBytes) - 1);
  }

  /** Registers take aligned 32-bit writes; others are undefined by the SDM and lost here. */
  write(offset: number, sizeBytes: 1 | 2 | 4, value: number): void {
    if (!this.#answersMemory || sizeBytes !== 4 || (offset & 15) !== 0) return;
    this.#writeRegister(offset, value >>> 0);
    this.#lines.onChange();
  }

  #readRegister(offset: number): number {
    if (offset >= 0x100 && offset < 0x180) return this.#isr.word((offset - 0x100) >> 4);
    if (offset >= 0x180 && offset < 0x200) return this.#tmr.word((offset - 0x180) >> 4);
    if (offset >= 0x200 && offset < 0x280) return this.#irr.word((offset - 0x200) >> 4);
    if (offset >= 0x320 && offset <= 0x370) return this.#lvt[(offset - 0x320) >> 4] ?? 0;
    switch (offset) {
      case 0x20:
        return this.#isX2Apic ? this.#id : (this.#id << 24) >>> 0;
      case 0x30:
        return 0x0005_0014; // Version 0x14, six LVT entries.
      case 0x80:
        return this.#taskPriority;
      case 0xa0:
        return this.#processorPriority();
      case 0xd0:
        return this.#isX2Apic ? logicalX2ApicId(this.#id) : (this.#logicalDestination << 24) >>> 0;
      case 0xe0:
        return this.#destinationFormat;
      case 0xf0:
        return this.#spurious;
      case 0x280:
        return this.#latchedErrors;
      case 0x300:
        return this.#commandLow;
      case 0x310:
        return this.#commandHigh;
      case 0x380:
        return this.#timer.initialCount;
      case 0x390:
        return this.#timer.currentCount;
      case 0x3e0:
        return this.#timer.divideConfiguration;
      default:
        this.#error(illegalRegister);
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    if (offset >= 0x320 && offset <= 0x370) {
      this.#writeLvt((offset - 0x320) >> 4, value);
      return;
    }
    switch (offset) {
      case 0x20:
        this.#id = value >>> 24;
        break;
      case 0x80:
        this.#taskPriority = value & 0xff;
        break;
      case 0xb0:
        this.#endOfInterrupt();
        break;
      case 0xd0:
        this.#logicalDestination = value >>> 24;
        break;
      case 0xe0:
        this.#destinationFormat = (value | 0x0fff_ffff) >>> 0;
        break;
      case 0xf0:
        this.#spurious = value & 0x3ff;
        // "Local APIC State After It Has Been Software Disabled": the mask bits are set and stay.
        if (!this.#softwareEnabled) this.#lvt.forEach((_, entry) => this.#maskLvt(entry));
        break;
      case 0x280:
        this.#latchedErrors = this.#errors;
        this.#errors = 0;
        break;
      case 0x300:
        this.#commandLow = value & 0x000c_cfff;
        this.#command();
        break;
      case 0x310:
        this.#commandHigh = (value & 0xff00_0000) >>> 0;
        break;
      case 0x380:
        this.#timer.initialCount = value;
        break;
      case 0x3e0:
        this.#timer.divideConfiguration = value;
        break;
      default:
        this.#error(illegalRegister);
    }
  }

  /** "Signaling Interrupt Servicing Completion". */
  #endOfInterrupt(): void {
    const vector = this.#isr.highest();
    if (vector < 0) return;
    this.#isr.delete(vector);
    if (this.#tmr.has(vector)) this.#lines.onEndOfInterrupt?.(vector);
  }

  #writeLvt(entry: number, value: number): void {
    const absent = entry === lvtTimer && !this.features.tscDeadline ? lvtDeadline : 0;
    const next = value & (lvtWritable[entry] ?? 0) & ~absent;
    this.#lvt[entry] = this.#softwareEnabled ? next : next | masked;
    if (entry === lvtTimer) this.#timer.setEntry(next);
  }

  #maskLvt(entry: number): void {
    this.#lvt[entry] = (this.#lvt[entry] ?? 0) | masked;
  }

  get #softwareEnabled(): boolean {
    return this.#enabled && (this.#spurious & 0x100) !== 0;
  }

  /** In x2APIC mode the registers are not in memory. */
  get #answersMemory(): boolean {
    return this.#enabled && !this.#isX2Apic;
  }

  /** "Task and Processor Priorities". */
  #processorPriority(): number {
    const serving = this.#isr.highest();
    const servingClass = serving < 0 ? 0 : serving & 0xf0;
    return (this.#taskPriority & 0xf0) >= servingClass ? this.#taskPriority : servingClass;
  }

  #deliverable(): number {
    if (!this.#enabled) return -1;
    const vector = this.#irr.highest();
    return vector >= 0 && (vector & 0xf0) > (this.#processorPriority() & 0xf0) ? vector : -1;
  }

  /** "Interrupt Command Register (ICR)". There is one processor, so what is for others reaches nobody. */
  #command(): void {
    const mode = (this.#commandLow >> 8) & 7;
    if (!this.#includesSelf()) return;
    if (mode === deliveryMode.fixed || mode === deliveryMode.lowestPriority) {
      this.#sendSelf(this.#commandLow & 0xff);
    } else if (mode === deliveryMode.nmi) {
      this.#lines.onNmi();
    }
  }

  #sendSelf(vector: number): void {
    if (vector < 16) this.#error(sendIllegalVector);
    else this.request(vector);
  }

  #includesSelf(): boolean {
    const shorthand = (this.#commandLow >> 18) & 3;
    if (shorthand !== 0) return shorthand !== 3;
    const isLogical = (this.#commandLow & 0x800) !== 0;
    if (!this.#isX2Apic) return this.#isAddressed(this.#commandHigh >>> 24, isLogical);
    return this.#isAddressed(this.#commandHigh, isLogical) || this.#commandHigh === 0xffff_ffff;
  }

  /** "Determining IPI Destination". */
  #isAddressed(destination: number, isLogical: boolean): boolean {
    if (this.#isX2Apic && isLogical) {
      const own = logicalX2ApicId(this.#id);
      return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
    }
    if (!isLogical) return destination === this.#id || destination === 0xff;
    // Logical destination: flat model, or cluster model when the format is 0.
    if (this.#destinationFormat >>> 28 === 0xf)
      return (destination & this.#logicalDestination) !== 0;
    const cluster = destination >> 4;
    return (
      (cluster === 0xf || cluster === this.#logicalDestination >> 4) &&
      (destination & this.#logicalDestination & 0xf) !== 0
    );
  }

  #error(bit: number): void {
    this.#errors |= bit;
    const entry = this.#lvt[lvtError] ?? masked;
    if ((entry & masked) === 0 && (entry & 0xff) >= 16) this.request(entry & 0xff);
  }
}
