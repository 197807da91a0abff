/**
 * The registers of the one virtual processor as 32-bit halves: what hypercalls and frames are made of.
 */
import { slots, type ProcessorState } from "@ringside/isa";

/** General registers in the order of their encoding. */
export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RSP = 4;
export const RSI = 6;
export const RDI = 7;
export const R8 = 8;
export const R9 = 9;
export const R10 = 10;
export const R11 = 11;

export class RegisterHalves {
  readonly #words: Uint32Array;

  constructor(state: ProcessorState) {
    this.#words = new Uint32Array(state.buffer, state.base, (slots.rip.offset + 8) >> 2);
  }

  low(register: number): number {
    return this.#words[register * 2] ?? 0;
  }

  high(register: number): number {
    return this.#words[register * 2 + 1] ?? 0;
  }

  set(register: number, low: number, high: number): void {
    this.#words[register * 2] = low;
    this.#words[register * 2 + 1] = high;
  }

  /** @param value A safe integer; negative ones in two's complement. */
  setNumber(register: number, value: number): void {
    this.set(register, value, Math.floor(value / 0x1_0000_0000));
  }

  get ripLow(): number {
    return this.#words[slots.rip.offset >> 2] ?? 0;
  }

  get ripHigh(): number {
    return this.#words[(slots.rip.offset >> 2) + 1] ?? 0;
  }

  setRip(low: number, high: number): void {
    this.#words[slots.rip.offset >> 2] = low;
    this.#words[(slots.rip.offset >> 2) + 1] = high;
  }

  /** Moves RIP back by some bytes: the instruction is executed again. */
  rewind(lengthBytes: number): void {
    const low = this.ripLow;
    this.setRip(low - lengthBytes, low < lengthBytes ? this.ripHigh - 1 : this.ripHigh);
  }

  /** Moves RIP on by some bytes. */
  advance(lengthBytes: number): void {
    const low = this.ripLow + lengthBytes;
    this.setRip(low, low > 0xffff_ffff ? this.ripHigh + 1 : this.ripHigh);
  }
}
