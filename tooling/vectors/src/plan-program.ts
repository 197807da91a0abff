/**
 * Random programs: planned instructions one behind the other, so that what one leaves is what the next one finds.
 *
 * Registers, flags, x87 and SSE state are carried. Only registers that address memory, and the few that keep an instruction
 * from faulting nearly always, are given their planned values again, by MOV, which is part of the program. An instruction
 * that leaves flags undefined is followed by CMP, which defines them all: nothing undefined is ever read. Jumps, calls and
 * returns go forward, to the beginning of a later instruction with its preparation, so that every program ends.
 */
import {
  CODE_ADDRESS,
  initialRegisters,
  Random,
  type PlannedEncoding,
  type VectorInput,
} from "@ringside/isa/testing";
import { canBeFollowed, registersToSet, type Ingredient } from "./ingredient.ts";
import { codeOf, type Program, type Step } from "./program.ts";

const LEAST_STEPS = 2;
const MOST_STEPS = 16;
/** How many instructions a transfer of control may leave out. */
const MOST_LEFT_OUT = 3;
const LONGEST_SHORT_JUMP = 127;
const NOP = 0x90;
const CMP_AL_IMM8 = 0x3c;
const PUSH_IMM = 0x68;
const OPERAND_SIZE_PREFIX = 0x66;
const RIP_BASE = -2;
/** Bits that POPF gets: any but TF, which would end the program, and ID, which Linux does not let the recorder take back. */
const POPPED_FLAGS = 0x5_4ed7n;

/**
 * The program of a seed.
 *
 * @throws {RangeError} No ingredient may stand before the end of a program.
 */
export function planProgram(pool: readonly Ingredient[], seed: number): Program {
  const random = new Random(seed);
  const inner = pool.filter(canBeFollowed);
  const first = drawFrom(inner, random);
  const { mode } = first.input;
  const { area } = first.encoding;
  const any = inner.filter(({ input }) => input.mode === mode);
  const related = any.filter(({ encoding }) => encoding.area === area);
  const ends = pool.filter(({ input, encoding }) => input.mode === mode && encoding.area === area);
  const count = LEAST_STEPS + random.below(MOST_STEPS - LEAST_STEPS + 1);
  const chosen: Ingredient[] = [];
  while (chosen.length < count) {
    const isLast = chosen.length === count - 1;
    const candidates = isLast ? ends : random.oneIn(4) ? any : related;
    const drawn = Array.from({ length: 4 }, () => drawFrom(candidates, random)).filter(
      ({ faults }) => !faults || random.oneIn(16),
    );
    const next = drawn.find((ingredient) => sharesRegister(ingredient, chosen)) ?? drawn[0];
    if (next !== undefined) chosen.push(next);
  }
  return new ProgramBuilder(mode, random).build(chosen);
}

function drawFrom(list: readonly Ingredient[], random: Random): Ingredient {
  const drawn = list.length === 0 ? undefined : list[random.below(list.length)];
  if (drawn === undefined) throw new RangeError("No row is left that programs can be made of.");
  return drawn;
}

function sharesRegister({ decoded }: Ingredient, chosen: readonly Ingredient[]): boolean {
  const before = new Set(chosen.flatMap((ingredient) => ingredient.decoded.registers));
  return decoded.registers.some((number) => before.has(number));
}

/** An address in the code that is known once all of it is laid out. */
interface Reference {
  /** The code whose last bytes get it. */
  readonly code: Uint8Array;
  readonly bytes: number;
  /** Position of the instruction that it leads to. */
  readonly to: number;
  /** Where a relative distance counts from; undefined for an address. */
  readonly from: number | undefined;
}

class ProgramBuilder {
  readonly #mode: 32 | 64;
  readonly #random: Random;
  readonly #steps: Step[] = [];
  readonly #references: Reference[] = [];
  #offset = 0;

  constructor(mode: 32 | 64, random: Random) {
    this.#mode = mode;
    this.#random = random;
  }

  build(chosen: readonly Ingredient[]): Program {
    const starts: number[] = [];
    for (const [position, ingredient] of chosen.entries()) {
      starts.push(this.#offset);
      this.#instruction(ingredient, position, chosen.length);
    }
    starts.push(this.#offset);
    for (const reference of this.#references) resolve(reference, starts);
    const memory = chosen.flatMap(({ input }) => input.memory);
    const registers = mergedRegisters(this.#mode, chosen);
    const code = codeOf(this.#steps);
    return { input: { mode: this.#mode, code, registers, memory }, steps: this.#steps };
  }

  #instruction(ingredient: Ingredient, position: number, count: number): void {
    const random = this.#random;
    const { encoding, input, decoded, transfer } = ingredient;
    if (!random.oneIn(32))
      for (const number of registersToSet(ingredient))
        this.#add(undefined, this.#move(number, input.registers.general[number] ?? 0n));
    const to = position + 1 + random.below(MOST_LEFT_OUT + 1);
    if (transfer === "register") {
      const move = this.#move(decoded.registers[0] ?? 0, 0n);
      this.#refer({ code: move, bytes: this.#mode / 8, to, from: undefined });
      this.#add(undefined, move);
    } else if (transfer === "return") {
      const push = Uint8Array.of(PUSH_IMM, 0, 0, 0, 0);
      this.#refer({ code: push, bytes: 4, to, from: undefined });
      this.#add(undefined, push);
    } else if (encoding.key.startsWith("popf")) {
      this.#add(undefined, this.#pushFlags(decoded.form.operandSize === 16));
    }
    // What it addresses moves with it: in units of 16 bytes, so that alignment stays as planned.
    const padding = decoded.memory?.base === RIP_BASE ? -this.#offset & 15 : 0;
    for (let filled = 0; filled < padding; filled += 1) this.#add(undefined, Uint8Array.of(NOP));
    const code = input.code.slice();
    if (transfer === "relative") {
      const bits = decoded.form.operands.find(({ source }) => source === "relative")?.bits ?? 8;
      this.#refer({ code, bytes: bits / 8, to, from: this.#offset + code.length });
    }
    this.#add(encoding, code);
    if (position < count - 1 && encoding.except.flags.length > 0)
      this.#add(undefined, Uint8Array.of(CMP_AL_IMM8, random.below(0x100)));
  }

  #add(encoding: PlannedEncoding | undefined, code: Uint8Array): void {
    this.#steps.push({ encoding, code });
    this.#offset += code.length;
  }

  #refer(reference: Reference): void {
    this.#references.push(reference);
  }

  /** MOV r64, imm64 or MOV r32, imm32. */
  #move(number: number, value: bigint): Uint8Array {
    const immediate = littleEndian(value, this.#mode / 8);
    const opcode = 0xb8 + (number & 7);
    return this.#mode === 64
      ? Uint8Array.of(0x48 | (number >> 3), opcode, ...immediate)
      : Uint8Array.of(opcode, ...immediate);
  }

  #pushFlags(isNarrow: boolean): Uint8Array {
    const flags = this.#random.bits(19) & POPPED_FLAGS;
    return isNarrow
      ? Uint8Array.of(OPERAND_SIZE_PREFIX, PUSH_IMM, ...littleEndian(flags, 2))
      : Uint8Array.of(PUSH_IMM, ...littleEndian(flags, 4));
  }
}

/** Writes where a reference leads: nearer than planned where its distance has no room for more. */
function resolve({ code, bytes, to, from }: Reference, starts: readonly number[]): void {
  const valueAt = (position: number): number => {
    const start = starts[Math.min(position, starts.length - 1)] ?? 0;
    return from === undefined ? CODE_ADDRESS + start : start - from;
  };
  const most = bytes === 1 ? LONGEST_SHORT_JUMP : Number.POSITIVE_INFINITY;
  let position = to;
  while (valueAt(position) > most) position -= 1;
  code.set(littleEndian(BigInt(valueAt(position)), bytes), code.length - bytes);
}

function littleEndian(value: bigint, bytes: number): readonly number[] {
  return Array.from({ length: bytes }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn));
}

/** Each register as the first instruction wants it that wants anything. */
function mergedRegisters(mode: 32 | 64, chosen: readonly Ingredient[]): VectorInput["registers"] {
  const initial = initialRegisters(mode);
  const all = chosen.map(({ input }) => input.registers);
  const merge = (values: readonly bigint[], of: (at: (typeof all)[number]) => readonly bigint[]) =>
    values.map(
      (value, number) =>
        all.map((registers) => of(registers)[number] ?? value).find((other) => other !== value) ??
        value,
    );
  const x87 = all.find(({ tags }) => tags !== initial.tags) ?? initial;
  return {
    general: merge(initial.general, ({ general }) => general),
    flags: all[0]?.flags ?? initial.flags,
    xmm: merge(initial.xmm, ({ xmm }) => xmm),
    mxcsr: all.find(({ mxcsr }) => mxcsr !== initial.mxcsr)?.mxcsr ?? initial.mxcsr,
    controlWord: x87.controlWord,
    statusWord: x87.statusWord,
    tags: x87.tags,
    stack: [...x87.stack],
  };
}
