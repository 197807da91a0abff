/**
 * Replays inputs on our processor: a machine with the recorder's memory, and exceptions given back instead of delivered.
 */
import { HostMemory } from "../memory/host-memory.ts";
import { instructions } from "../instructions/index.ts";
import { Processor } from "../processor.ts";
import { defaultProfile, type ProcessorProfile } from "../profile/profile.ts";
import { CR0 } from "../profile/registers.ts";
import { slots, X87_OFFSET } from "../state/layout.ts";
import {
  CODE_ADDRESS,
  CODE_PAGE,
  DATA_ADDRESS,
  DATA_BYTES,
  FS_BASE,
  GS_BASE,
  initialByte,
  READ_ONLY_ADDRESS,
  READ_ONLY_BYTES,
  type Patch,
  type Registers,
  type VectorInput,
  type VectorResult,
} from "./machine.ts";

/** Physical addresses. The tables map the one 2 MiB region that all pages of the recorder lie in. */
const TABLES = { pml4: 0x1000, pdpt: 0x2000, pd: 0x3000, pt: 0x4000 };
const CODE_FRAME = 0x1_0000;
const DATA_FRAME = 0x1_1000;
const READ_ONLY_FRAME = 0x1_3000;

const CODE_PAGE_BYTES = 0x1000;
const NOP = 0x90;
const INT3 = 0xcc;
const BREAKPOINT = 3;
/** More instructions, iterations of string instructions among them, than a program without loops executes. */
const PROGRAM_LIMIT = 1_000_000;

const PRESENT_USER = 0x5n;
const WRITABLE = 0x2n;

/** Access rights of flat segments for user programs: 32-bit code, data, and null. */
const CODE_32 = 0xc0fb;
const DATA_32 = 0xc0f3;
const UNUSABLE = 0x1_0000;
const CODE_64 = 0xa0fb;
const BUSY_TSS = 0x8b;

/** The default processor with every feature that a row needs. */
const PROFILE: ProcessorProfile = {
  ...defaultProfile,
  features: new Set([
    ...defaultProfile.features,
    ...instructions.flatMap(({ feature }) => (feature === undefined ? [] : [feature])),
  ]),
};

/** A processor at CPL 3 on which single instructions and short programs are replayed. */
export class ReplayMachine {
  readonly #memory = HostMemory.create({ physicalBytes: 1024 * 1024 });
  readonly #processor: Processor;

  constructor() {
    this.#processor = new Processor({
      memory: this.#memory,
      ports: { read: () => 0xff, write: () => undefined },
      interrupts: {
        acknowledge: () => 0,
        readTaskPriority: () => 0,
        writeTaskPriority: () => undefined,
      },
      profile: PROFILE,
      delivery: "monitor",
    });
    this.#mapPages();
  }

  #mapPages(): void {
    const { physical } = this.#memory;
    const link = (table: number, index: number, frame: number, writable: boolean): void =>
      physical.writeU64(
        table + index * 8,
        BigInt(frame) | PRESENT_USER | (writable ? WRITABLE : 0n),
      );
    link(TABLES.pml4, 0, TABLES.pdpt, true);
    link(TABLES.pdpt, 0, TABLES.pd, true);
    link(TABLES.pd, CODE_PAGE >> 21, TABLES.pt, true);
    const page = (linear: number): number => (linear >> 12) & 0x1ff;
    link(TABLES.pt, page(CODE_PAGE), CODE_FRAME, true);
    for (let at = 0; at < DATA_BYTES; at += 0x1000)
      link(TABLES.pt, page(DATA_ADDRESS + at), DATA_FRAME + at, true);
    link(TABLES.pt, page(READ_ONLY_ADDRESS), READ_ONLY_FRAME, false);
    const bytes = Uint8Array.from({ length: READ_ONLY_BYTES }, (_, at) =>
      initialByte(READ_ONLY_ADDRESS + at),
    );
    physical.write(READ_ONLY_FRAME, bytes);
  }

  /** Executes one instruction, and says what it left behind. */
  execute(input: VectorInput): VectorResult {
    const code = new Uint8Array(16).fill(NOP);
    code.set(input.code);
    this.#memory.physical.write(CODE_FRAME + (CODE_ADDRESS - CODE_PAGE), code);
    return this.#run(input, 1);
  }

  /**
   * Runs code until the INT3 that follows it and fills the rest of its page, or until an exception.
   *
   * @throws {Error} It did not end, or left in a way that no user program should.
   */
  executeProgram(input: VectorInput): VectorResult {
    const page = new Uint8Array(CODE_PAGE_BYTES).fill(INT3);
    page.set(input.code, CODE_ADDRESS - CODE_PAGE);
    this.#memory.physical.write(CODE_FRAME, page);
    return this.#run(input, PROGRAM_LIMIT);
  }

  #run(input: VectorInput, limit: number): VectorResult {
    const data = initialData(input.memory);
    this.#memory.physical.write(DATA_FRAME, data);
    this.#load(input);
    const exit = this.#processor.run(limit);
    const after = this.#memory.physical.read(DATA_FRAME, DATA_BYTES);
    const { state } = this.#processor;
    const result = {
      rip: state.rip,
      registers: this.#registers(),
      memory: changesBetween(data, after),
    };
    const ended =
      limit === 1
        ? exit.reason === "limit"
        : exit.reason === "event" &&
          exit.event.kind === "software-interrupt" &&
          exit.event.vector === BREAKPOINT;
    if (ended) return { ...result, fault: undefined };
    if (exit.reason === "event" && exit.event.kind === "exception") {
      const { vector, linear } = exit.event;
      return { ...result, fault: { vector, linear: vector === 14 ? linear : undefined } };
    }
    throw new Error(`Code for the recorder ended with ${JSON.stringify(exit)}.`);
  }

  #load(input: VectorInput): void {
    const { state } = this.#processor;
    const { registers } = input;
    state.enterLongMode({ cpl: 3, cr3: TABLES.pml4, rip: BigInt(CODE_ADDRESS), rsp: 0n });
    // As Linux has it: EFLAGS.AC decides about alignment.
    state.set(slots.cr0, state.get(slots.cr0) | CR0.AM);
    const is64 = input.mode === 64;
    const flat = { base: 0n, limit: 0xffff_ffff };
    state.setSegment("cs", {
      selector: is64 ? 0x33 : 0x23,
      ...flat,
      attributes: is64 ? CODE_64 : CODE_32,
    });
    for (const name of ["ds", "es", "ss"] as const) {
      state.setSegment(name, { selector: 0x2b, ...flat, attributes: DATA_32 });
    }
    state.setSegment("fs", {
      selector: 0,
      base: BigInt(FS_BASE),
      limit: 0,
      attributes: is64 ? DATA_32 : UNUSABLE,
    });
    state.setSegment("gs", {
      selector: 0,
      base: BigInt(GS_BASE),
      limit: 0,
      attributes: is64 ? DATA_32 : UNUSABLE,
    });
    // A TSS without an I/O map, so that ports are refused.
    state.setSegment("tr", { selector: 0x40, base: 0n, limit: 0, attributes: BUSY_TSS });
    state.rip = BigInt(CODE_ADDRESS);
    for (const [number, value] of registers.general.entries()) state.setRegister(number, value);
    state.rflags = registers.flags;
    for (const [number, value] of registers.xmm.entries())
      state.setXmm(number, bytesOfVector(value));
    state.setNumber(slots.mxcsr, registers.mxcsr);
    state.setNumber(slots.fcw, registers.controlWord);
    state.setNumber(slots.fsw, registers.statusWord);
    this.#loadStack(registers);
  }

  /** The recorder lists registers from the top of the stack; the processor keeps them by number. */
  #loadStack(registers: Registers): void {
    const { state } = this.#processor;
    const bytes = this.#x87Bytes();
    const top = (registers.statusWord >> 11) & 7;
    let tags = 0;
    for (const [position, value] of registers.stack.entries()) {
      const number = (top + position) & 7;
      bytes.set(bytesOfVector(value).subarray(0, 10), number * 16);
      const isEmpty = (registers.tags & (1 << number)) === 0;
      tags |= (isEmpty ? 3 : tagOf(value)) << (number * 2);
    }
    state.setNumber(slots.ftw, tags);
  }

  #x87Bytes(): Uint8Array {
    const { state } = this.#processor;
    return new Uint8Array(state.buffer, state.base + X87_OFFSET, 128);
  }

  #registers(): Registers {
    const { state } = this.#processor;
    const statusWord = state.getNumber(slots.fsw);
    const top = (statusWord >> 11) & 7;
    const fullTags = state.getNumber(slots.ftw);
    const x87 = this.#x87Bytes();
    let tags = 0;
    for (let number = 0; number < 8; number++)
      if (((fullTags >> (number * 2)) & 3) !== 3) tags |= 1 << number;
    return {
      general: Array.from({ length: 16 }, (_, number) => state.register(number)),
      flags: state.rflags,
      xmm: Array.from({ length: 16 }, (_, number) => vectorOfBytes(state.xmm(number))),
      mxcsr: state.getNumber(slots.mxcsr),
      controlWord: state.getNumber(slots.fcw),
      statusWord,
      tags,
      stack: Array.from({ length: 8 }, (_, position) => {
        const at = ((top + position) & 7) * 16;
        return vectorOfBytes(x87.subarray(at, at + 10));
      }),
    };
  }
}

/** Intel SDM Vol. 1 §8.1.7, "x87 FPU Tag Word". */
function tagOf(value: bigint): number {
  const exponent = Number((value >> 64n) & 0x7fffn);
  if (exponent === 0 && BigInt.asUintN(64, value) === 0n) return 1;
  const hasIntegerBit = ((value >> 63n) & 1n) === 1n;
  return exponent === 0 || exponent === 0x7fff || !hasIntegerBit ? 2 : 0;
}

const UNTOUCHED_DATA = Uint8Array.from({ length: DATA_BYTES }, (_, at) =>
  initialByte(DATA_ADDRESS + at),
);

function initialData(patches: readonly Patch[]): Uint8Array {
  const data = UNTOUCHED_DATA.slice();
  for (const { linear, bytes } of patches) data.set(bytes, linear - DATA_ADDRESS);
  return data;
}

/** Runs of bytes that differ, as the recorder makes them: gaps below four bytes join runs. */
function changesBetween(before: Uint8Array, after: Uint8Array): Patch[] {
  const patches: Patch[] = [];
  const limit = before.length;
  for (let at = firstDifference(before, after); at < limit; at++) {
    if (before[at] === after[at]) continue;
    let end = at + 1;
    for (let look = end; look < Math.min(limit, end + 4); look++) {
      if (before[look] !== after[look]) end = look + 1;
    }
    patches.push({ linear: DATA_ADDRESS + at, bytes: after.slice(at, end) });
    at = end - 1;
  }
  return patches;
}

/** A word at or before the first byte that differs; both arrays are copies, so their words are aligned. */
function firstDifference(before: Uint8Array, after: Uint8Array): number {
  const oldWords = new Int32Array(before.buffer, before.byteOffset, before.length / 4);
  const newWords = new Int32Array(after.buffer, after.byteOffset, after.length / 4);
  const word = oldWords.findIndex((value, index) => value !== newWords[index]);
  return word < 0 ? before.length : word * 4;
}

function bytesOfVector(value: bigint): Uint8Array {
  const halves = BigUint64Array.of(BigInt.asUintN(64, value), value >> 64n);
  return new Uint8Array(halves.buffer);
}

function vectorOfBytes(bytes: Uint8Array): bigint {
  const padded = new Uint8Array(16);
  padded.set(bytes);
  const [low = 0n, high = 0n] = new BigUint64Array(padded.buffer);
  return low | (high << 64n);
}
