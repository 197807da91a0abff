/** One hypercall as its handler sees it: six arguments, and a result or a way to go on later. */
import type { Linear } from "../memory/guest-access.ts";
import { R10, R8, R9, RDI, RDX, RSI, type RegisterHalves } from "../cpu/registers.ts";

const argumentRegisters = [RDI, RSI, RDX, R10, R8, R9] as const;

/** Results that are none: the handler has set the registers itself, or is to be called again with its new arguments. */
export const NO_RESULT: unique symbol = Symbol("no result");
export const AGAIN: unique symbol = Symbol("again");

/** Zero or positive as the call defines it, negative for an error. A safe integer, or all 64 bits. */
export type CallResult = number | bigint | typeof NO_RESULT | typeof AGAIN;

/** The arguments of a hypercall, as halves. */
export class CallArguments {
  readonly #words: Uint32Array = new Uint32Array(argumentRegisters.length * 2);

  loadRegisters(registers: RegisterHalves): void {
    for (const [index, register] of argumentRegisters.entries()) {
      this.set(index, registers.low(register), registers.high(register));
    }
  }

  storeRegisters(registers: RegisterHalves): void {
    for (const [index, register] of argumentRegisters.entries()) {
      registers.set(register, this.low(index), this.high(index));
    }
  }

  /** From the entry of a multicall, at `offset`. */
  loadBytes(view: DataView, offset: number): void {
    for (let index = 0; index < this.#words.length; index += 1) {
      this.#words[index] = view.getUint32(offset + index * 4, true);
    }
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#words.slice().buffer);
  }

  low(index: number): number {
    return this.#words[index * 2] ?? 0;
  }

  high(index: number): number {
    return this.#words[index * 2 + 1] ?? 0;
  }

  linear(index: number): Linear {
    return { low: this.low(index), high: this.high(index) };
  }

  wide(index: number): bigint {
    return (BigInt(this.high(index)) << 32n) | BigInt(this.low(index));
  }

  isNull(index: number): boolean {
    return this.low(index) === 0 && this.high(index) === 0;
  }

  set(index: number, low: number, high: number): void {
    this.#words[index * 2] = low;
    this.#words[index * 2 + 1] = high;
  }
}
