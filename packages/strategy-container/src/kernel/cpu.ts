/**
 * The processor as the kernel sees it: registers of the running thread as 32-bit halves, page tables, time.
 *
 * The only file that touches isa's Processor. 64-bit values are numbers here (addresses are below 2^47) or pairs of
 * halves, because bigint arithmetic would cost more than most system calls do.
 */
import {
  FEATURES,
  slots,
  type Processor,
  type ProcessorExit,
  type ProcessorProfile,
  type ProcessorState,
} from "@ringside/isa";
import type { TranslationCache } from "./address-space.ts";
import { DESCRIPTOR_TABLE_LIMIT, DESCRIPTOR_TABLE_LINEAR } from "./kernel-half.ts";

/** General registers in the order of their encoding. Intel SDM Vol. 2A §2.1.5, "Addressing-Mode Encoding of ModR/M and SIB Bytes". */
export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const R8 = 8;
export const R9 = 9;
export const R10 = 10;

/** Selectors that Linux gives programs. Linux, arch/x86/include/asm/segment.h (__USER_CS, __USER_DS). */
const USER_CODE_SELECTOR = 0x33;
const USER_DATA_SELECTOR = 0x2b;
/** Flat 64-bit code and data at privilege level 3, as access rights of a VMCS. */
const USER_CODE_ATTRIBUTES = 0xa0fb;
const USER_DATA_ATTRIBUTES = 0xc0f3;
/** A busy 64-bit task state segment. */
const TASK_ATTRIBUTES = 0x8b;
const FLAT_LIMIT = 0xffff_ffff;

const FXSAVE_BYTES = 512;
/** Offsets in an FXSAVE image. Intel SDM Vol. 1 §10.5.1, "FXSAVE Area". */
const FXSAVE_REGISTERS = 32;
const FXSAVE_XMM = 160;
/** Bits of MXCSR that exist, DAZ included. */
const MXCSR_MASK = 0xffff;

export class Cpu implements TranslationCache {
  readonly #processor: Processor;
  readonly #state: ProcessorState;
  /** The state block: general registers first, 8 bytes each. */
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #image: Uint8Array = new Uint8Array(FXSAVE_BYTES);
  readonly #imageView: DataView = new DataView(this.#image.buffer);
  readonly #imageWords: Uint32Array = new Uint32Array(this.#image.buffer);
  #activeRoot = 0;

  constructor(processor: Processor) {
    this.#processor = processor;
    const { state } = processor;
    this.#state = state;
    const end = slots.x87.offset + 8 * 16;
    this.#words = new Uint32Array(state.buffer, state.base, end / 4);
    this.#bytes = new Uint8Array(state.buffer, state.base, end);
    this.#view = new DataView(state.buffer, state.base, end);
  }

  // Time and running.

  get units(): number {
    return this.#processor.units;
  }

  /** Machine time in nanoseconds. */
  get now(): number {
    return this.#processor.units + this.#processor.idleUnits;
  }

  /** Lets time pass without instructions, up to `deadline`. */
  skipTo(deadline: number): void {
    const missing = Math.ceil(deadline - this.now);
    if (missing > 0) this.#processor.idleUnits += missing;
  }

  run(limitUnits: number): ProcessorExit {
    return this.#processor.run(limitUnits);
  }

  requestStop(): void {
    this.#processor.requestStop();
  }

  // Page tables.

  get activeRoot(): number {
    return this.#activeRoot;
  }

  enterSpace(root: number): void {
    if (root === this.#activeRoot) return;
    this.#activeRoot = root;
    this.#state.setControl("cr3", BigInt(root));
  }

  /** The present page tables go away: the next {@link enterSpace} loads CR3, whatever frame it names. */
  leaveSpace(): void {
    this.#activeRoot = 0;
  }

  invalidatePage(linear: number): void {
    this.#processor.invalidatePage(BigInt(linear));
  }

  flush(): void {
    this.#processor.flushTlb();
  }

  // Registers.

  low(register: number): number {
    return this.#words[register * 2] ?? 0;
  }

  high(register: number): number {
    return this.#words[register * 2 + 1] ?? 0;
  }

  /** Unsigned; inexact above 2^53. */
  number(register: number): number {
    return this.high(register) * 0x1_0000_0000 + this.low(register);
  }

  /** @param value A safe integer; negative ones in two's complement. */
  set(register: number, value: number): void {
    this.#words[register * 2] = value;
    this.#words[register * 2 + 1] = Math.floor(value / 0x1_0000_0000);
  }

  setPair(register: number, low: number, high: number): void {
    this.#words[register * 2] = low;
    this.#words[register * 2 + 1] = high;
  }

  get ripPair(): [number, number] {
    const at = slots.rip.offset >> 2;
    return [this.#words[at] ?? 0, this.#words[at + 1] ?? 0];
  }

  setRipPair(low: number, high: number): void {
    const at = slots.rip.offset >> 2;
    this.#words[at] = low;
    this.#words[at + 1] = high;
  }

  get rip(): number {
    const [low, high] = this.ripPair;
    return high * 0x1_0000_0000 + low;
  }
  set rip(linear: number) {
    this.setRipPair(linear, Math.floor(linear / 0x1_0000_0000));
  }

  /** RFLAGS; the upper half is zero. */
  get flags(): number {
    return Number(this.#state.rflags);
  }
  set flags(value: number) {
    this.#state.rflags = BigInt(value);
  }

  get fsBase(): bigint {
    return this.#state.fsBase;
  }
  set fsBase(value: bigint) {
    this.#state.fsBase = value;
  }

  get gsBase(): bigint {
    return this.#state.gsBase;
  }
  set gsBase(value: bigint) {
    this.#state.gsBase = value;
  }

  /** The six arguments of a system call. */
  callArguments(): bigint[] {
    const { rdi, rsi, rdx } = this.#state;
    return [rdi, rsi, rdx, ...[R10, R8, R9].map((number) => this.#state.register(number))];
  }

  /** Everything by name, for reports. */
  registers(): Readonly<Record<string, bigint>> {
    return this.#state.registers();
  }

  saveContext(into?: Uint8Array): Uint8Array {
    return this.#state.saveContext(into);
  }

  loadContext(context: Uint8Array): void {
    this.#state.loadContext(context);
  }

  /** Puts the processor where a new program begins: all registers clear, as execve leaves them. */
  enterProgram(root: number, rip: number, rsp: number): void {
    const state = this.#state;
    this.#activeRoot = root;
    state.enterLongMode({ cpl: 3, cr3: root, rip: BigInt(rip), rsp: BigInt(rsp) });
    const flat = { base: 0n, limit: FLAT_LIMIT };
    state.setSegment("cs", {
      ...flat,
      selector: USER_CODE_SELECTOR,
      attributes: USER_CODE_ATTRIBUTES,
    });
    state.setSegment("ss", {
      ...flat,
      selector: USER_DATA_SELECTOR,
      attributes: USER_DATA_ATTRIBUTES,
    });
    for (const name of ["ds", "es", "fs", "gs"] as const) {
      state.setSegment(name, { ...flat, selector: 0, attributes: USER_DATA_ATTRIBUTES });
    }
    // A task state segment without an I/O map: every port is #GP.
    state.setSegment("tr", { selector: 0, base: 0n, limit: 0, attributes: TASK_ATTRIBUTES });
    state.set(slots.gdtrBase, DESCRIPTOR_TABLE_LINEAR);
    state.setNumber(slots.gdtrLimit, DESCRIPTOR_TABLE_LIMIT);
    state.setNumber(slots.idtrLimit, 0);
    for (let register = 0; register < 16; register++) this.set(register, 0);
    this.set(RSP, rsp);
    state.fsBase = 0n;
    state.gsBase = 0n;
    this.resetFloatingPoint();
  }

  /** x87 and SSE as programs and signal handlers find them: registers empty, all exceptions masked. */
  resetFloatingPoint(): void {
    this.#bytes.fill(0, slots.xmm.offset, slots.x87.offset + 8 * 16);
    this.#view.setUint32(slots.mxcsr.offset, 0x1f80, true);
    this.#view.setUint16(slots.fcw.offset, 0x37f, true);
    this.#view.setUint16(slots.fsw.offset, 0, true);
    this.#view.setUint16(slots.ftw.offset, 0xffff, true);
  }

  // x87 and SSE.

  /** CPUID leaf 1's EDX, as AT_HWCAP gives it to programs. */
  get featureWord(): number {
    let word = 0;
    for (const feature of this.profile.features) {
      const place = FEATURES[feature];
      if (place?.leaf === 1 && place.register === "edx") word |= 1 << place.bit;
    }
    return word >>> 0;
  }

  get profile(): ProcessorProfile {
    return this.#processor.profile;
  }

  /** Unmasked x87 exceptions that are pending. */
  get x87Pending(): number {
    const status = this.#view.getUint16(slots.fsw.offset, true);
    const control = this.#view.getUint16(slots.fcw.offset, true);
    return status & ~control & 0x3f;
  }

  /** Unmasked SSE exceptions that are flagged. */
  get sseExceptions(): number {
    const mxcsr = this.#view.getUint32(slots.mxcsr.offset, true);
    return mxcsr & ~(mxcsr >>> 7) & 0x3f;
  }

  /** The FXSAVE image of the running thread; valid until the next call. Intel SDM Vol. 1 §10.5.1, "FXSAVE Area". */
  saveFxsave(): Uint8Array {
    const image = this.#image;
    const out = this.#imageView;
    const state = this.#view;
    const status = state.getUint16(slots.fsw.offset, true);
    const tags = state.getUint16(slots.ftw.offset, true);
    out.setUint16(0, state.getUint16(slots.fcw.offset, true), true);
    out.setUint16(2, status, true);
    let used = 0;
    for (let index = 0; index < 8; index++) {
      if (((tags >>> (index * 2)) & 3) !== 3) used |= 1 << index;
    }
    image[4] = used;
    out.setUint16(6, state.getUint16(slots.fop.offset, true), true);
    this.#copyToImage(slots.fip.offset, 8, 2);
    this.#copyToImage(slots.fdp.offset, 16, 2);
    this.#copyToImage(slots.mxcsr.offset, 24, 1);
    out.setUint32(28, MXCSR_MASK, true);
    const top = (status >>> 11) & 7;
    for (let index = 0; index < 8; index++) {
      const to = FXSAVE_REGISTERS + index * 16;
      this.#copyToImage(slots.x87.offset + ((top + index) & 7) * 16, to, 2);
      out.setUint32(
        to + 8,
        state.getUint16(slots.x87.offset + ((top + index) & 7) * 16 + 8, true),
        true,
      );
    }
    this.#copyToImage(slots.xmm.offset, FXSAVE_XMM, 64);
    return image;
  }

  #copyToImage(from: number, to: number, words: number): void {
    const source = from >> 2;
    const target = to >> 2;
    for (let index = 0; index < words; index++) {
      this.#imageWords[target + index] = this.#words[source + index] ?? 0;
    }
  }

  /** Loads an FXSAVE image of 512 bytes that a program may have changed: bits of MXCSR that do not exist are dropped. */
  loadFxsave(image: Uint8Array): void {
    const input = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const state = this.#view;
    const status = input.getUint16(2, true);
    state.setUint16(slots.fcw.offset, input.getUint16(0, true), true);
    state.setUint16(slots.fsw.offset, status, true);
    state.setUint16(slots.fop.offset, input.getUint16(6, true), true);
    for (let byte = 0; byte < 8; byte += 4) {
      state.setUint32(slots.fip.offset + byte, input.getUint32(8 + byte, true), true);
      state.setUint32(slots.fdp.offset + byte, input.getUint32(16 + byte, true), true);
    }
    state.setUint32(slots.mxcsr.offset, input.getUint32(24, true) & MXCSR_MASK, true);
    const top = (status >>> 11) & 7;
    const used = image[4] ?? 0;
    let tags = 0;
    for (let index = 0; index < 8; index++) {
      const from = FXSAVE_REGISTERS + index * 16;
      const physical = (top + index) & 7;
      const low = input.getUint32(from, true);
      const middle = input.getUint32(from + 4, true);
      const high = input.getUint16(from + 8, true);
      const to = slots.x87.offset + physical * 16;
      state.setUint32(to, low, true);
      state.setUint32(to + 4, middle, true);
      state.setUint16(to + 8, high, true);
      tags |= ((used >>> physical) & 1 ? tagOf(low, middle, high) : 3) << (physical * 2);
    }
    state.setUint16(slots.ftw.offset, tags, true);
    for (let byte = 0; byte < 256; byte += 4) {
      state.setUint32(slots.xmm.offset + byte, input.getUint32(FXSAVE_XMM + byte, true), true);
    }
  }
}

/** Tag of a register that is not empty: 0 valid, 1 zero, 2 special. Intel SDM Vol. 1 §8.1.7, "x87 FPU Tag Word". */
function tagOf(low: number, middle: number, high: number): number {
  const exponent = high & 0x7fff;
  if (exponent === 0 && low === 0 && middle === 0) return 1;
  return exponent === 0 || exponent === 0x7fff || middle >>> 31 === 0 ? 2 : 0;
}
