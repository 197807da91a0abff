/**
 * The registers of a processor, by name, for TypeScript: loaders, hypervisors, debuggers.
 *
 * Writes here are raw: no check, no fault, no side effect of the instruction that would do it. After changing control
 * registers, CS, SS or CPL the derived fields are recomputed.
 */
import { SEGMENTS, segmentSlots, slots, type SegmentName, type Slot } from "./layout.ts";

/** A segment register with its hidden part. Intel SDM Vol. 3A §3.4.3, "Segment Registers". */
export interface Segment {
  readonly selector: number;
  readonly base: bigint;
  /** Limit in bytes, granularity applied. */
  readonly limit: number;
  /** Access rights as VMX stores them: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16. */
  readonly attributes: number;
}

/** What the processor does for its state: work that the shared semantics define. */
export interface StateEngine {
  /** Recomputes the derived fields, and empties the TLB. */
  settle(): void;
  /** RFLAGS from the state's parts, and back. */
  readFlags(): bigint;
  writeFlags(value: bigint): void;
}

/** Where paging and privilege begin when a loader or a monitor sets a processor up. */
export interface LongModeEntry {
  readonly cpl: 0 | 1 | 2 | 3;
  /** Physical address of the PML4 table. */
  readonly cr3: number;
  readonly rip: bigint;
  readonly rsp: bigint;
}

const REGISTER_NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;

const CR0_PROTECTED = 0x31n; // PE, ET, NE
const CR0_PAGED = 0x8001_0033n; // PG, WP, NE, ET, MP, PE
const CR4_LONG = 0x620n; // PAE, OSFXSR, OSXMMEXCPT
const EFER_LONG = 0xd01n; // NXE, LMA, LME, SCE
const FLAT_LIMIT = 0xffff_ffff;

/** The parts that belong to a program: general registers, RIP, flags, FS and GS, x87 and SSE. */
const CONTEXT_RANGES = [
  [slots.generalRegisters.offset, slots.flagsSystem.offset + 8],
  [segmentSlots(4).base.offset, segmentSlots(5).selector.offset + 8],
  [slots.mxcsr.offset, slots.fds.offset + 2],
  [slots.xmm.offset, slots.x87.offset + 8 * 16],
] as const;

const CONTEXT_BYTES: number = CONTEXT_RANGES.reduce((sum, [from, to]) => sum + to - from, 0);

function checkContext(block: Uint8Array): void {
  if (block.length !== CONTEXT_BYTES) {
    throw new RangeError(
      `A context of ${block.length} bytes is none. Give a block that saveContext made, of ${CONTEXT_BYTES} bytes.`,
    );
  }
}

export class ProcessorState {
  /** Byte offset of the state block in {@link buffer}. */
  readonly base: number;
  readonly buffer: ArrayBuffer;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #engine: StateEngine;
  /** Views of what belongs to a program, made once. */
  readonly #contextRanges: readonly Uint8Array[];

  constructor(buffer: ArrayBuffer, base: number, bytes: number, engine: StateEngine) {
    this.buffer = buffer;
    this.base = base;
    this.#view = new DataView(buffer, base, bytes);
    this.#bytes = new Uint8Array(buffer, base, bytes);
    this.#engine = engine;
    this.#contextRanges = CONTEXT_RANGES.map(([from, to]) => this.#bytes.subarray(from, to));
  }

  /** A field of the state block, raw. */
  get(slot: Slot): bigint {
    switch (slot.bytes) {
      case 1:
        return BigInt(this.#view.getUint8(slot.offset));
      case 2:
        return BigInt(this.#view.getUint16(slot.offset, true));
      case 4:
        return BigInt(this.#view.getUint32(slot.offset, true));
      default:
        return this.#view.getBigUint64(slot.offset, true);
    }
  }

  set(slot: Slot, value: bigint): void {
    switch (slot.bytes) {
      case 1:
        this.#view.setUint8(slot.offset, Number(value & 0xffn));
        return;
      case 2:
        this.#view.setUint16(slot.offset, Number(value & 0xffffn), true);
        return;
      case 4:
        this.#view.setUint32(slot.offset, Number(value & 0xffff_ffffn), true);
        return;
      default:
        this.#view.setBigUint64(slot.offset, value, true);
    }
  }

  /** A field of at most four bytes as a number. */
  getNumber(slot: Slot): number {
    if (slot.bytes === 1) return this.#view.getUint8(slot.offset);
    if (slot.bytes === 2) return this.#view.getUint16(slot.offset, true);
    return this.#view.getUint32(slot.offset, true);
  }

  setNumber(slot: Slot, value: number): void {
    if (slot.bytes === 1) this.#view.setUint8(slot.offset, value);
    else if (slot.bytes === 2) this.#view.setUint16(slot.offset, value, true);
    else this.#view.setUint32(slot.offset, value, true);
  }

  /** General register 0 (RAX) to 15 (R15), in the order of their encoding. */
  register(number: number): bigint {
    this.#checkRegister(number);
    return this.#view.getBigUint64(number * 8, true);
  }

  setRegister(number: number, value: bigint): void {
    this.#checkRegister(number);
    this.#view.setBigUint64(number * 8, value, true);
  }

  #checkRegister(number: number): void {
    if (!Number.isInteger(number) || number < 0 || number > 15) {
      throw new RangeError(
        `There is no general register ${number}. Registers are numbered 0 (RAX) to 15 (R15).`,
      );
    }
  }

  get rax(): bigint {
    return this.register(0);
  }
  set rax(value: bigint) {
    this.setRegister(0, value);
  }
  get rcx(): bigint {
    return this.register(1);
  }
  set rcx(value: bigint) {
    this.setRegister(1, value);
  }
  get rdx(): bigint {
    return this.register(2);
  }
  set rdx(value: bigint) {
    this.setRegister(2, value);
  }
  get rbx(): bigint {
    return this.register(3);
  }
  set rbx(value: bigint) {
    this.setRegister(3, value);
  }
  get rsp(): bigint {
    return this.register(4);
  }
  set rsp(value: bigint) {
    this.setRegister(4, value);
  }
  get rbp(): bigint {
    return this.register(5);
  }
  set rbp(value: bigint) {
    this.setRegister(5, value);
  }
  get rsi(): bigint {
    return this.register(6);
  }
  set rsi(value: bigint) {
    this.setRegister(6, value);
  }
  get rdi(): bigint {
    return this.register(7);
  }
  set rdi(value: bigint) {
    this.setRegister(7, value);
  }
  get rip(): bigint {
    return this.get(slots.rip);
  }
  set rip(value: bigint) {
    this.set(slots.rip, value);
  }
  get rflags(): bigint {
    return this.#engine.readFlags();
  }
  set rflags(value: bigint) {
    this.#engine.writeFlags(value);
  }
  get cr0(): bigint {
    return this.get(slots.cr0);
  }
  get cr2(): bigint {
    return this.get(slots.cr2);
  }
  set cr2(value: bigint) {
    this.set(slots.cr2, value);
  }
  get cr3(): bigint {
    return this.get(slots.cr3);
  }
  get cr4(): bigint {
    return this.get(slots.cr4);
  }
  get efer(): bigint {
    return this.get(slots.efer);
  }
  get cpl(): number {
    return this.getNumber(slots.cpl);
  }
  /** Bits of the code segment: 16, 32 or 64. */
  get mode(): number {
    return this.getNumber(slots.mode);
  }
  get fsBase(): bigint {
    return this.get(segmentSlots(4).base);
  }
  set fsBase(value: bigint) {
    this.set(segmentSlots(4).base, value);
    this.set(segmentSlots(4).effectiveBase, value);
  }
  get gsBase(): bigint {
    return this.get(segmentSlots(5).base);
  }
  set gsBase(value: bigint) {
    this.set(segmentSlots(5).base, value);
    this.set(segmentSlots(5).effectiveBase, value);
  }

  /** Replaces CR0, CR3, CR4 or EFER, recomputes what follows from them and empties the TLB. */
  setControl(name: "cr0" | "cr3" | "cr4" | "efer", value: bigint): void {
    this.set(slots[name], value);
    this.#engine.settle();
  }

  /** Replaces CPL without touching a segment register. */
  setPrivilegeLevel(level: 0 | 1 | 2 | 3): void {
    this.setNumber(slots.cpl, level);
    this.#engine.settle();
  }

  /** The 16 bytes of XMM register 0 to 15; a copy. */
  xmm(number: number): Uint8Array {
    this.#checkRegister(number);
    const at = slots.xmm.offset + number * 16;
    return this.#bytes.slice(at, at + 16);
  }

  setXmm(number: number, bytes: Uint8Array): void {
    this.#checkRegister(number);
    if (bytes.length !== 16)
      throw new RangeError(`An XMM register has 16 bytes, not ${bytes.length}. Give all of them.`);
    this.#bytes.set(bytes, slots.xmm.offset + number * 16);
  }

  segment(name: SegmentName): Segment {
    const { selector, base, limit, attributes } = segmentSlots(SEGMENTS.indexOf(name));
    return {
      selector: this.getNumber(selector),
      base: this.get(base),
      limit: this.getNumber(limit),
      attributes: this.getNumber(attributes),
    };
  }

  setSegment(name: SegmentName, segment: Segment): void {
    this.#loadSegment(name, segment);
    this.#engine.settle();
  }

  #loadSegment(name: SegmentName, segment: Segment): void {
    const { selector, base, limit, attributes } = segmentSlots(SEGMENTS.indexOf(name));
    this.setNumber(selector, segment.selector);
    this.set(base, segment.base);
    this.setNumber(limit, segment.limit);
    this.setNumber(attributes, segment.attributes);
  }

  /**
   * What a program owns, as one block for {@link loadContext}: a context switch of a kernel written in TypeScript.
   *
   * @param into A block of an earlier call, to be filled instead of a new one.
   */
  saveContext(into: Uint8Array = new Uint8Array(CONTEXT_BYTES)): Uint8Array {
    checkContext(into);
    let at = 0;
    for (const range of this.#contextRanges) {
      into.set(range, at);
      at += range.length;
    }
    return into;
  }

  /** @throws {RangeError} The block is not one of {@link saveContext}. */
  loadContext(block: Uint8Array): void {
    checkContext(block);
    let at = 0;
    for (const range of this.#contextRanges) {
      for (let index = 0; index < range.length; index += 1) range[index] = block[at + index] ?? 0;
      at += range.length;
    }
  }

  /** Flat 64-bit code at a privilege level, paging on: what loaders and monitors start from. */
  enterLongMode(entry: LongModeEntry): void {
    const { cpl } = entry;
    const code: Segment = {
      selector: 0x08 | cpl,
      base: 0n,
      limit: FLAT_LIMIT,
      attributes: 0xa09b | (cpl << 5),
    };
    const data: Segment = {
      selector: 0x10 | cpl,
      base: 0n,
      limit: FLAT_LIMIT,
      attributes: 0xc093 | (cpl << 5),
    };
    this.set(slots.cr0, CR0_PAGED);
    this.set(slots.cr4, CR4_LONG);
    this.set(slots.efer, EFER_LONG);
    this.set(slots.cr3, BigInt(entry.cr3));
    this.#enter(cpl, code, data, entry.rip);
    this.rsp = entry.rsp;
  }

  /** Flat 32-bit protected mode without paging, CPL 0. */
  enterProtectedMode32(entry: { readonly rip: number }): void {
    const code: Segment = { selector: 0x08, base: 0n, limit: FLAT_LIMIT, attributes: 0xc09b };
    const data: Segment = { selector: 0x10, base: 0n, limit: FLAT_LIMIT, attributes: 0xc093 };
    this.set(slots.cr0, CR0_PROTECTED);
    this.set(slots.cr4, 0n);
    this.set(slots.efer, 0n);
    this.set(slots.cr3, 0n);
    this.#enter(0, code, data, BigInt(entry.rip));
  }

  #enter(cpl: number, code: Segment, data: Segment, rip: bigint): void {
    this.#loadSegment("cs", code);
    for (const name of ["ss", "ds", "es", "fs", "gs"] as const) this.#loadSegment(name, data);
    this.setNumber(slots.cpl, cpl);
    this.rip = rip;
    this.#engine.settle();
    this.rflags = cpl === 3 ? 0x202n : 2n;
  }

  /** All general registers, RIP and RFLAGS by name, for reports. */
  registers(): Readonly<Record<string, bigint>> {
    const values: Record<string, bigint> = {};
    for (const [number, name] of REGISTER_NAMES.entries()) values[name] = this.register(number);
    values["rip"] = this.rip;
    values["rflags"] = this.rflags;
    return values;
  }
}
