/**
 * Random programs: planned instructions one behind the other, so that what one leaves is what the next one finds.
 *
 * Registers, flags, x87 and SSE state are carried. Only registers that address memory, and the few that keep an instruction
 * from faulting nearly always, are given their planned values again, by MOV, which is part of the program. An instruction
 * that leaves flags undefined is followed by CMP, which defines them all: nothing undefined is ever read.
 */
import { decode, isDecodeFault, type Decoded } from "@ringside/isa";
import {
  CODE_ADDRESS,
  initialRegisters,
  Random,
  type PlannedEncoding,
  type ReplayMachine,
  type VectorInput,
} from "@ringside/isa/testing";

/** A planned instruction that programs are made of. */
export interface Ingredient {
  readonly encoding: PlannedEncoding;
  readonly input: VectorInput;
  readonly decoded: Decoded;
  /** Whether it faults with the state that it was planned with. */
  readonly faults: boolean;
}

/** One instruction of a program: a planned one, or one that prepares for it or cleans up behind it. */
export interface Step {
  readonly encoding: PlannedEncoding | undefined;
  readonly code: Uint8Array;
}

export interface Program {
  /** The state before it, and its code. INT3 must follow. */
  readonly input: VectorInput;
  readonly steps: readonly Step[];
}

/**
 * Rows that programs do without: other transfers of control than a conditional jump at the end, and POPF, which could set TF
 * or AC from carried data.
 */
const UNFIT = /^(?:jmp|call|ret|loop\w*|j\w*cxz|popfq?d?) |^j\w+ \| (?:o16 |(?:o32 )?0F )/u;
const SHORT_JUMP = /^j\w+ \| (?:o32 )?7/u;
/** How far conditional jumps at the end go: to another INT3, whose address tells that they went. */
const JUMP_DISTANCE = 0x10;

const LEAST_STEPS = 2;
const MOST_STEPS = 16;
const NOP = 0x90;
const CMP_AL_IMM8 = 0x3c;
const RCX = 1;
const RIP_BASE = -2;

/** Registers that an instruction implies, and with other values than planned faults nearly always. */
const IMPLIED: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^(?:movs|cmps|scas|lods|stos)[bwdq] /u, [RCX, 6, 7]],
  [/^maskmov/u, [7]],
  [/^xlatb? /u, [3]],
  [/^(?:leave|enter) /u, [5]],
  [/^i?div /u, [0, 2]],
];

/** The planned instruction at an address in a program; undefined at others. */
export function encodingAt({ steps }: Program, rip: bigint): PlannedEncoding | undefined {
  let next = BigInt(CODE_ADDRESS);
  for (const { code, encoding } of steps) {
    if (rip === next) return encoding;
    next += BigInt(code.length);
  }
  return undefined;
}

/** The first instructions of a program, as a program. */
export function firstSteps({ input, steps }: Program, count: number): Program {
  const kept = steps.slice(0, count);
  const code = Uint8Array.from(kept.flatMap((step) => [...step.code]));
  return { input: { ...input, code }, steps: kept };
}

/** Everything that programs of a round are made of. */
export function ingredients(
  plan: readonly PlannedEncoding[],
  round: number,
  machine: ReplayMachine,
): readonly Ingredient[] {
  return plan
    .filter(({ key }) => !UNFIT.test(key))
    .flatMap((encoding) =>
      encoding.inputs(round).map((planned) => {
        const input = SHORT_JUMP.test(encoding.key) ? jumpingForward(planned) : planned;
        const decoded = decode(input.code, 0, { mode: input.mode });
        if (isDecodeFault(decoded)) throw new Error(`${encoding.key} is not decoded.`);
        return { encoding, input, decoded, faults: machine.execute(input).fault !== undefined };
      }),
    );
}

function jumpingForward(input: VectorInput): VectorInput {
  const code = input.code.slice();
  code[code.length - 1] = JUMP_DISTANCE;
  return { ...input, code };
}

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
  return build(mode, chosen, random);
}

function drawFrom(list: readonly Ingredient[], random: Random): Ingredient {
  const drawn = list.length === 0 ? undefined : list[random.below(list.length)];
  if (drawn === undefined) throw new RangeError("No row is left that programs can be made of.");
  return drawn;
}

/** No jump, and nothing that leaves x87 condition codes which a later FSTSW could show and processors dispute. */
export function canBeFollowed({ encoding }: Ingredient): boolean {
  return !SHORT_JUMP.test(encoding.key) && encoding.except.statusWord === 0;
}

function sharesRegister({ decoded }: Ingredient, chosen: readonly Ingredient[]): boolean {
  const before = new Set(chosen.flatMap((ingredient) => ingredient.decoded.registers));
  return decoded.registers.some((number) => before.has(number));
}

function build(mode: 32 | 64, chosen: readonly Ingredient[], random: Random): Program {
  const steps: Step[] = [];
  let offset = 0;
  const add = (encoding: PlannedEncoding | undefined, code: Uint8Array): void => {
    steps.push({ encoding, code });
    offset += code.length;
  };
  for (const [position, ingredient] of chosen.entries()) {
    const { encoding, input, decoded } = ingredient;
    if (!random.oneIn(32))
      for (const number of registersToSet(ingredient))
        add(undefined, moveImmediate(mode, number, input.registers.general[number] ?? 0n));
    // What it addresses moves with it: in units of 16 bytes, so that alignment stays as planned.
    const padding = decoded.memory?.base === RIP_BASE ? -offset & 15 : 0;
    for (let count = 0; count < padding; count += 1) add(undefined, Uint8Array.of(NOP));
    add(encoding, input.code);
    const isLast = position === chosen.length - 1;
    if (!isLast && encoding.except.flags.length > 0)
      add(undefined, Uint8Array.of(CMP_AL_IMM8, random.below(0x100)));
  }
  const code = Uint8Array.from(steps.flatMap((step) => [...step.code]));
  const inputs = chosen.map(({ input }) => input);
  const memory = inputs.flatMap((input) => input.memory);
  return { input: { mode, code, registers: mergedRegisters(mode, chosen), memory }, steps };
}

function registersToSet({ encoding, decoded }: Ingredient): readonly number[] {
  const { memory } = decoded;
  const numbers = new Set(memory === undefined ? [] : [memory.base, memory.index]);
  for (const [rows, implied] of IMPLIED)
    if (rows.test(encoding.key)) for (const number of implied) numbers.add(number);
  // The number of a bit reaches beyond the operand.
  if (memory !== undefined && /^bt[crs]? /u.test(encoding.key))
    for (const number of decoded.registers) numbers.add(number);
  return [...numbers].filter((number) => number >= 0);
}

/** MOV r64, imm64 or MOV r32, imm32. */
function moveImmediate(mode: 32 | 64, number: number, value: bigint): Uint8Array {
  const bytes = Array.from({ length: mode / 8 }, (_, index) =>
    Number((value >> BigInt(index * 8)) & 0xffn),
  );
  const opcode = 0xb8 + (number & 7);
  return mode === 64
    ? Uint8Array.of(0x48 | (number >> 3), opcode, ...bytes)
    : Uint8Array.of(opcode, ...bytes);
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
