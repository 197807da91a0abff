/**
 * Inputs for the rows of the table: what to execute, and in which state.
 *
 * Inputs follow from the row alone: the same row gives the same ones wherever it stands in the table.
 */
import type { Argument, Statement } from "../assembler/argument.ts";
import { encodePattern } from "../assembler/encode.ts";
import { existsIn } from "../decoder/forms.ts";
import type { Pattern, PlacedOperand } from "../decoder/pattern.ts";
import { Draft, type Site } from "./draft.ts";
import { CODE_ADDRESS, type VectorInput } from "./machine.ts";
import { doubleValue, extendedValue, integerValue, Random, seedOf, singleValue } from "./random.ts";
import { isX87, shapeAfter, shapeBefore } from "./shape.ts";
import { UNRECORDED, UNRECORDED_OPERANDS } from "./unrecorded.ts";

/** The name of a row in vector files. */
export function encodingKey(pattern: Pattern): string {
  const { encoding, instruction } = pattern;
  const text = `${instruction.mnemonic} | ${encoding.opcode} | ${encoding.instruction}`;
  return text.replaceAll(/\s+/gu, " ");
}

/** Why a row is not recorded, or undefined when it is. */
export function whyUnrecorded(pattern: Pattern): string | undefined {
  const reason = UNRECORDED.get(pattern.mnemonic);
  if (reason !== undefined) return reason;
  const odd = pattern.operands.find(
    ({ pattern: operand }) =>
      operand.farPointer !== undefined ||
      operand.text.includes(":") ||
      UNRECORDED_OPERANDS.has(operand.register?.kind ?? ""),
  );
  return odd === undefined ? undefined : "it works with selectors, which are the host's";
}

/** Where memory operands lie, in turn. */
const SITES: readonly Site[] = [
  ...Array.from({ length: 8 }, () => "data" as const),
  "unmapped",
  "crossing",
  "straddling",
  "entering",
  "read-only",
  "read-only-end",
];
const REGISTER_VECTORS = 12;
/** The same in 32-bit code, for rows that exist in both. */
const SITES_32: readonly Site[] = ["data", "data", "crossing", "unmapped", "low"];
const REGISTER_VECTORS_32 = 2;
/** Tries before a row counts as one that cannot be encoded with the operands drawn. */
const TRIES = 64;

/**
 * Inputs for a row: in 64-bit code and, fewer, in 32-bit code; rows of 32-bit code alone have all of theirs there.
 *
 * @param seed Another number gives other inputs; those of 0 are recorded.
 * @throws {Error} The row cannot be encoded, which is a bug in the assembler.
 */
export function generateInputs(pattern: Pattern, seed = 0): VectorInput[] {
  const random = new Random(seedOf(encodingKey(pattern)) ^ seed);
  const takesMemory = pattern.operands.some(
    ({ pattern: operand }) => operand.memory !== undefined || operand.moffs !== undefined,
  );
  const takesRegister = !pattern.operands.some(
    ({ place, pattern: operand }) =>
      (place === "rm" && operand.register === undefined) || place === "moffs",
  );
  const sites = (registers: number, memory: readonly Site[]): (Site | undefined)[] => [
    ...(takesRegister ? Array.from({ length: registers }, () => undefined) : []),
    ...(takesMemory ? memory : []),
  ];
  const make = (mode: 32 | 64, site: Site | undefined): VectorInput => {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const input = tryInput(pattern, mode, site, random);
      if (input !== undefined) return input;
    }
    throw new Error(`No operands were found for ${encodingKey(pattern)}.`);
  };
  const first = existsIn(pattern, 64) ? 64 : 32;
  const special: Site[] = [
    ...(isMisalignable(pattern) ? (["misaligned"] as const) : []),
    ...(first === 64 && random.oneIn(4) ? (["not-canonical"] as const) : ["low" as const]),
  ];
  const inputs = sites(REGISTER_VECTORS, [...SITES, ...special]).map((site) => make(first, site));
  if (first === 64 && existsIn(pattern, 32)) {
    inputs.push(...sites(REGISTER_VECTORS_32, SITES_32).map((site) => make(32, site)));
  }
  return inputs;
}

function isMisalignable(pattern: Pattern): boolean {
  return pattern.operands.some(({ pattern: operand }) => operand.memory?.bits === 128);
}

function tryInput(
  pattern: Pattern,
  mode: 32 | 64,
  site: Site | undefined,
  random: Random,
): VectorInput | undefined {
  const draft = new Draft(mode, random);
  draft.registers.flags = drawFlags(random);
  for (const { pattern: operand } of pattern.operands) {
    if (operand.register?.kind === "register" && operand.register.fixed !== undefined)
      draft.reserve(operand.register.fixed);
  }
  shapeBefore(pattern, draft);
  const drawn = pattern.operands
    .filter(({ place }) => place !== "implicit-memory")
    .map((operand) => drawOperand(pattern, operand, draft, site));
  const statement = drawStatement(pattern, drawn, mode, random);
  shapeAfter(pattern, draft, statement);
  const code = encodePattern(pattern, statement, { mode, address: BigInt(CODE_ADDRESS) });
  if (code === undefined) return undefined;
  return { mode, code, registers: draft.registers, memory: draft.memory };
}

/** Bit 1, IF, and any of the arithmetic flags; DF for strings is set by their shape. */
function drawFlags(random: Random): bigint {
  let flags = 0x202n;
  for (const bit of [0n, 2n, 4n, 6n, 7n, 11n]) if (random.oneIn(2)) flags |= 1n << bit;
  return flags;
}

function drawStatement(
  pattern: Pattern,
  drawn: readonly Argument[],
  mode: 32 | 64,
  random: Random,
): Statement {
  const { instruction } = pattern;
  const destination = drawn[0]?.type === "memory";
  const lock = instruction.lockable === true && destination && random.oneIn(6);
  // 16-bit addresses are not mapped, and which of two operands faults first differs between processors.
  const faultsAnyhow = mode === 32 && /^(?:cmps|maskmov)/u.test(pattern.mnemonic);
  const addresses = pattern.operands.some(
    ({ place, pattern: operand }) => place === "rm" && operand.memory !== undefined,
  );
  const sized =
    instruction.addressSized === true &&
    !addresses &&
    pattern.addressSize === undefined &&
    !faultsAnyhow &&
    random.oneIn(5);
  let repeat: Statement["repeat"];
  if (instruction.repeatable === "rep" && random.oneIn(2)) repeat = "rep";
  if (instruction.repeatable === "repe-repne")
    repeat = random.pick([undefined, "repe", "repne"] as const);
  return {
    mnemonic: pattern.mnemonic,
    arguments: drawn,
    lock,
    ...(repeat === undefined ? {} : { repeat }),
    ...(sized ? { addressWidth: mode === 64 ? 32 : 16 } : {}),
  };
}

function drawOperand(
  pattern: Pattern,
  operand: PlacedOperand,
  draft: Draft,
  site: Site | undefined,
): Argument {
  const { random } = draft;
  const { register, memory, moffs, immediate, relative, constant } = operand.pattern;
  if (constant !== undefined) return { type: "number", value: BigInt(constant) };
  if (relative !== undefined) {
    const distance = BigInt.asIntN(relative.bits, random.bits(relative.bits));
    // Within 32-bit code, and with room for the instruction itself.
    return { type: "number", value: BigInt(CODE_ADDRESS) + distance / 2n };
  }
  if (immediate !== undefined) return { type: "number", value: drawImmediate(operand, random) };
  const bits = memory?.bits ?? moffs?.bits;
  if (bits !== undefined && site !== undefined)
    return drawMemory(pattern, bits, operand, draft, site);
  if (register === undefined) return { type: "number", value: 0n };
  const number = register.fixed ?? drawRegister(operand, draft);
  if (register.kind === "register")
    draft.setPart(number, register.bits, integerValue(random, register.bits));
  if (register.kind === "xmm") draft.registers.xmm[number] = vectorValue(pattern, random);
  if (register.kind === "mmx") draft.registers.stack[number] = (0xffffn << 64n) | random.bits(64);
  return { type: "register", kind: register.kind, bits: register.bits, number };
}

function drawRegister(operand: PlacedOperand, draft: Draft): number {
  const { random } = draft;
  const register = operand.pattern.register;
  switch (register?.kind) {
    case "register":
      return draft.anyRegister(register.bits);
    case "xmm":
      return random.below(draft.mode === 64 ? 16 : 8);
    case "control":
      return random.pick([0, 2, 3, 4]);
    case "debug":
      return random.pick([0, 1, 2, 3, 6, 7]);
    default:
      return random.below(8);
  }
}

function drawImmediate(operand: PlacedOperand, random: Random): bigint {
  const bits = operand.pattern.immediate?.bits ?? 8;
  const value = integerValue(random, bits);
  return operand.access === "sx" ? BigInt.asIntN(bits, value) : value;
}

function drawMemory(
  pattern: Pattern,
  bits: number,
  operand: PlacedOperand,
  draft: Draft,
  site: Site,
): Argument {
  const { random } = draft;
  const bytes = Math.max(bits / 8, 1);
  // Some places do not exist for all: one byte cannot straddle, and only 64-bit code has addresses that are not canonical.
  const isAcross =
    site === "crossing" || site === "straddling" || site === "entering" || site === "read-only-end";
  const possible = isAcross && bytes === 1 ? "data" : site;
  const aligned = bits === 128 ? 16 : 1;
  const linear = draft.place(possible, bytes, aligned);
  const inData = possible === "data" || possible === "crossing" || possible === "misaligned";
  if (inData && bits > 0) draft.store(linear, bytes, memoryValue(pattern, bits, random));
  if (operand.place === "moffs") {
    const isNarrow = draft.mode === 64 && linear >> 32n === 0n && random.oneIn(4);
    const width = isNarrow ? ({ addressWidth: 32 } as const) : {};
    return { type: "memory", bits, displacement: linear, ...width };
  }
  return possible === "low" && draft.mode === 32
    ? draft.address16(bits)
    : draft.address(linear, bits);
}

/** What memory holds that an instruction reads. */
function memoryValue(pattern: Pattern, bits: number, random: Random): bigint {
  if (isX87(pattern)) {
    const isFloat = !/^fi|^fbld|cw$/u.test(pattern.mnemonic);
    if (isFloat && bits === 32) return singleValue(random);
    if (isFloat && bits === 64) return doubleValue(random);
    if (bits === 80) return extendedValue(random);
  }
  const usesVectors = pattern.operands.some(
    ({ pattern: operand }) => operand.register?.kind === "xmm",
  );
  if (usesVectors) return BigInt.asUintN(bits, vectorValue(pattern, random));
  return integerValue(random, bits);
}

/** 128 bits of what the instruction works on, by its name. */
function vectorValue(pattern: Pattern, random: Random): bigint {
  const name = pattern.mnemonic.replace(/^cvtt?/u, "").replace(/2.*$/u, "");
  let value = 0n;
  if (/[sp]s$/u.test(name)) {
    for (let lane = 0n; lane < 4n; lane++) value |= singleValue(random) << (lane * 32n);
  } else if (/[sp]d$/u.test(name)) {
    for (let lane = 0n; lane < 2n; lane++) value |= doubleValue(random) << (lane * 64n);
  } else {
    const lanes = random.pick([8, 16, 32, 64] as const);
    for (let at = 0; at < 128; at += lanes) value |= integerValue(random, lanes) << BigInt(at);
  }
  return value;
}
