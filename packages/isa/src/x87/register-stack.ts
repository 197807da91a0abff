/**
 * The x87's register stack, its control and status words, and what happens when an exception is or is not masked.
 *
 * Intel SDM Vol. 1 §8.1, "x87 FPU Execution Environment" and §8.5, "x87 FPU Floating-Point Exception Conditions". An
 * exception that is not masked sets ES; the next instruction that waits then raises #MF.
 */
import type { HelperContext } from "../helpers.ts";
import { EXTENDED, packIndefinite } from "../floating-point/format.ts";
import {
  DENORMAL,
  DIVIDE_BY_ZERO,
  INVALID,
  PRECISION,
  type Environment,
  type Result,
  type RoundingMode,
} from "../floating-point/round.ts";
import { slots, type Slot } from "../state/layout.ts";
import { EMPTY, readTags, tagOf, writeTags } from "./tags.ts";

/** Stack fault: an invalid operation because a register was empty or full. */
const STACK_FAULT = 0x40;
/** Summary of exceptions that are not masked, and its copy in B. */
const ERROR_SUMMARY = 0x8080;
export const C0 = 0x0100;
export const C1 = 0x0200;
export const C2 = 0x0400;
export const C3 = 0x4000;

const ALL_EXCEPTIONS = 0x3f;
/** Exceptions that are found before there is a result; not masked, they leave the operands as they are. */
const BEFORE = INVALID | DENORMAL | DIVIDE_BY_ZERO;

const PRECISIONS = [24, 64, 53, 64] as const;

export const INDEFINITE: bigint = packIndefinite(EXTENDED);

function asRoundingMode(bits: number): RoundingMode {
  if (bits === 1 || bits === 2 || bits === 3) return bits;
  return 0;
}

/** The x87 of one processor. Registers are named by their distance from the top. */
export class RegisterStack {
  readonly #cpu: HelperContext;

  constructor(cpu: HelperContext) {
    this.#cpu = cpu;
  }

  #readWord(slot: Slot): number {
    const at = this.#cpu.base + slot.offset;
    return (this.#cpu.u8[at] ?? 0) | ((this.#cpu.u8[at + 1] ?? 0) << 8);
  }

  #writeWord(slot: Slot, value: number): void {
    const at = this.#cpu.base + slot.offset;
    this.#cpu.u8[at] = value & 0xff;
    this.#cpu.u8[at + 1] = (value >> 8) & 0xff;
  }

  get control(): number {
    return this.#readWord(slots.fcw);
  }

  get status(): number {
    return this.#readWord(slots.fsw);
  }

  set status(value: number) {
    this.#writeWord(slots.fsw, value);
  }

  get #top(): number {
    return (this.status >> 11) & 7;
  }

  /** Turns the stack: 1 pops without emptying, -1 is the opposite. */
  rotate(distance: number): void {
    const top = (this.#top + distance) & 7;
    this.status = (this.status & ~0x3800) | (top << 11);
  }

  #physical(index: number): number {
    return (this.#top + index) & 7;
  }

  #setTag(index: number, tag: number): void {
    const shift = 2 * this.#physical(index);
    writeTags(this.#cpu, (readTags(this.#cpu) & ~(3 << shift)) | (tag << shift));
  }

  isEmpty(index: number): boolean {
    return ((readTags(this.#cpu) >> (2 * this.#physical(index))) & 3) === EMPTY;
  }

  /** The 80 bits of a register, empty or not. */
  get(index: number): bigint {
    const at = this.#cpu.base + slots.x87.offset + 16 * this.#physical(index);
    const high = (this.#cpu.u8[at + 8] ?? 0) | ((this.#cpu.u8[at + 9] ?? 0) << 8);
    return (BigInt(high) << 64n) | (this.#cpu.u64[at >>> 3] ?? 0n);
  }

  set(index: number, value: bigint): void {
    const at = this.#cpu.base + slots.x87.offset + 16 * this.#physical(index);
    const significand = BigInt.asUintN(64, value);
    const high = Number(value >> 64n) & 0xffff;
    this.#cpu.u64[at >>> 3] = significand;
    this.#cpu.u8[at + 8] = high & 0xff;
    this.#cpu.u8[at + 9] = high >> 8;
    this.#setTag(index, tagOf(significand, high));
  }

  free(index: number): void {
    this.#setTag(index, EMPTY);
  }

  pop(): void {
    this.free(0);
    this.rotate(1);
  }

  /** How results are rounded: with the precision control for basic arithmetic, else to the whole format. */
  environment(controlled = false): Environment {
    const { control } = this;
    return {
      mode: asRoundingMode((control >> 10) & 3),
      precision: controlled ? (PRECISIONS[(control >> 8) & 3] ?? 64) : 64,
      masked: control & ALL_EXCEPTIONS,
      flushToZero: false,
      denormalsAreZero: false,
    };
  }

  /** Replaces condition codes; those named in `mask` and not in `value` are cleared. */
  setConditions(value: number, mask: number = C0 | C1 | C2 | C3): void {
    this.status = (this.status & ~mask) | value;
  }

  #isUnmasked(flags: number): boolean {
    return (flags & ~this.control & ALL_EXCEPTIONS) !== 0;
  }

  /**
   * Sets exception flags.
   *
   * @returns Whether the instruction goes on to its result.
   */
  raise(flags: number): boolean {
    const stops = this.#isUnmasked(flags & BEFORE);
    const raised = stops ? flags & BEFORE : flags;
    this.status |= raised;
    if (this.#isUnmasked(raised)) this.status |= ERROR_SUMMARY;
    return !stops;
  }

  /** Whether a result for memory is stored, which overflow and underflow prevent too; it is then not inexact either. */
  raiseForStore(flags: number): boolean {
    const stops = this.#isUnmasked(flags & ~PRECISION);
    return this.raise(stops ? flags & ~PRECISION : flags) && !stops;
  }

  /** An empty register was read: invalid, with C1 clear. */
  underflow(): boolean {
    this.setConditions(0, C1);
    this.status |= STACK_FAULT;
    return this.raise(INVALID);
  }

  /** A register that is not empty would be overwritten by a push: invalid, with C1 set. */
  overflow(): boolean {
    this.setConditions(C1, C1);
    this.status |= STACK_FAULT;
    return this.raise(INVALID);
  }

  /**
   * Pushes what an instruction loads. A denormal is pushed even when that exception is not masked.
   * Intel SDM Vol. 2A, "FLD—Load Floating-Point Value".
   *
   * @param flags Exceptions of the load itself.
   */
  push(value: bigint, flags = 0): void {
    this.setConditions(0, C1);
    const full = !this.isEmpty(7);
    if (!(full ? this.overflow() : this.raise(flags) || flags === DENORMAL)) return;
    this.rotate(-1);
    this.set(0, full ? INDEFINITE : value);
  }

  /** Stores a result in a register and sets C1 when it was rounded up. */
  settle(index: number, result: Result): boolean {
    this.setConditions(0, C1);
    if (!this.raise(result.flags)) return false;
    if (result.roundedUp) this.setConditions(C1, C1);
    this.set(index, result.bits);
    return true;
  }
}
