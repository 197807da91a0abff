/**
 * What some instructions need beside their operands for an input to be interesting: implied registers, pointers, counts.
 */
import type { Statement } from "../assembler/argument.ts";
import type { Pattern } from "../decoder/pattern.ts";
import type { Draft } from "./draft.ts";
import { CODE_PAGE, DATA_ADDRESS, DATA_BYTES } from "./machine.ts";
import { extendedValue, integerValue, type Random } from "./random.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

type Shape = (draft: Draft, pattern: Pattern) => void;

/** Registers that an instruction implies get values, and are not used for addresses. */
const BEFORE: readonly (readonly [RegExp, Shape])[] = [
  [/^(?:mul|imul|div|idiv)$/u, shapeProducts],
  [/^cmpxchg(?:8b|16b)?$/u, (draft) => implied(draft, RAX, RCX, RDX, RBX)],
  [
    /^(?:cbw|cwde|cdqe|cwd|cdq|cqo|lahf|sahf|aaa|aas|daa|das|aam|aad|salc)$/u,
    (draft) => implied(draft, RAX, RDX),
  ],
  [/^(?:movs|cmps|scas|lods|stos)[bwdq]$/u, shapeString],
  [/^(?:ins|outs)[bwd]$/u, (draft) => draft.set(RDX, 0x80n)],
  [/^(?:in|out)$/u, (draft) => draft.reserve(RAX, RDX)],
  [/^(?:rdmsr|wrmsr|rdpmc|xsetbv)$/u, (draft) => implied(draft, RAX, RCX, RDX)],
  [/^xlatb?$/u, shapeXlat],
  [/^(?:leave|enter)$/u, (draft) => draft.set(RBP, inData(draft))],
  [/^ret$/u, (draft) => draft.store(stackPointer(draft), draft.mode / 8, codeAddress(draft))],
  [/^popfq?d?$/u, shapeFlags],
  [
    /^(?:loop|loope|loopne|jcxz|jecxz|jrcxz)$/u,
    (draft) =>
      draft.set(RCX, draft.random.pick([0n, 1n, 2n, 0x1_0000n, 0x1_0000_0000n, 0x1_0000_0001n])),
  ],
  [/^maskmov(?:dqu|q)$/u, (draft) => draft.set(RDI, inData(draft))],
  [/^monitor$|^mwait$/u, (draft) => implied(draft, RAX, RCX, RDX)],
];

/** Whether a row is of the x87: the escape opcodes, and FWAIT. */
export function isX87(pattern: Pattern): boolean {
  return pattern.map === 0 && ((pattern.opcode & 0xf8) === 0xd8 || pattern.mnemonic === "fwait");
}

/** Sets what a row needs before its operands are drawn. */
export function shapeBefore(pattern: Pattern, draft: Draft): void {
  for (const [mnemonics, shape] of BEFORE)
    if (mnemonics.test(pattern.mnemonic)) shape(draft, pattern);
  if (isX87(pattern)) shapeX87(draft, pattern);
  const usesMmx = pattern.operands.some(({ pattern: operand }) => operand.register?.kind === "mmx");
  if (usesMmx || pattern.mnemonic === "emms") draft.registers.tags = 0xff;
  const usesVectors = pattern.operands.some(
    ({ pattern: operand }) => operand.register?.kind === "xmm",
  );
  if (usesVectors) draft.registers.mxcsr = drawMxcsr(draft.random);
}

const MXCSR_MASKS = 0x1f80;
const MXCSR_DAZ = 0x40;
const MXCSR_FTZ = 0x8000;

/** Mostly the usual one; also other rounding, denormals as zero, exceptions noted before, exceptions that are not masked. */
function drawMxcsr(random: Random): number {
  let mxcsr = MXCSR_MASKS;
  if (random.oneIn(4)) mxcsr |= random.below(4) << 13;
  if (random.oneIn(8)) mxcsr |= random.pick([MXCSR_DAZ, MXCSR_FTZ, MXCSR_DAZ | MXCSR_FTZ]);
  if (random.oneIn(8)) mxcsr |= random.below(64);
  if (random.oneIn(8)) mxcsr &= ~(random.below(64) << 7);
  return mxcsr;
}

/** Corrects what was drawn: counts that stay in memory, targets that are code, values that some rows compare. */
export function shapeAfter(pattern: Pattern, draft: Draft, statement: Statement): void {
  const { mnemonic } = pattern;
  const [first, second] = statement.arguments;
  if (/^(?:jmp|call)$/u.test(mnemonic) && first?.type === "register") {
    draft.set(first.number, codeAddress(draft));
  } else if (/^(?:jmp|call)$/u.test(mnemonic) && first?.type === "memory") {
    replaceLast(draft, codeAddress(draft));
  } else if (
    /^bt[crs]?$/u.test(mnemonic) &&
    first?.type === "memory" &&
    second?.type === "register"
  ) {
    // The number of a bit reaches beyond the operand; it stays within the data.
    const reach = BigInt(draft.random.below(0x3000)) - 0x1800n;
    if (second.number !== first.base && second.number !== first.index) {
      draft.set(second.number, BigInt.asUintN(second.bits, reach));
    }
  } else if (/^(?:sh[lr]d?|sal|sar|ro[lr]|rc[lr])$/u.test(mnemonic)) {
    shapeCount(draft, statement);
  } else if (mnemonic.startsWith("cmpxchg") && draft.random.oneIn(2)) {
    makeEqual(draft, statement, pattern);
  } else if (mnemonic === "ldmxcsr" && draft.random.below(8) > 0) {
    replaceLast(draft, draft.random.bits(16) | 0x1f80n);
  } else if (mnemonic === "enter") {
    shapeEnter(draft, statement);
  }
}

function implied(draft: Draft, ...numbers: number[]): void {
  for (const number of numbers) draft.set(number, integerValue(draft.random, draft.mode));
}

function stackPointer(draft: Draft): bigint {
  return draft.registers.general[RSP] ?? 0n;
}

function inData(draft: Draft): bigint {
  return BigInt(DATA_ADDRESS + 0x1000 + 8 * draft.random.below(64));
}

function codeAddress(draft: Draft): bigint {
  return BigInt(CODE_PAGE + draft.random.below(0x1000));
}

/** Half of the divisions have a quotient that fits. */
function shapeProducts(draft: Draft, pattern: Pattern): void {
  if (pattern.operands.length > 1) return;
  implied(draft, RAX, RDX);
  if (pattern.mnemonic.endsWith("div") && draft.random.below(4) > 0) {
    const isNegative = pattern.mnemonic === "idiv" && draft.random.oneIn(2);
    draft.set(RDX, isNegative ? (1n << 64n) - 1n : 0n);
    const value = integerValue(draft.random, 32);
    draft.set(RAX, isNegative ? -value : value);
    // The byte form divides AX.
    if (pattern.opcode === 0xf6)
      draft.set(RAX, BigInt(draft.random.below(0x1000)) * (isNegative ? -1n : 1n));
  }
}

const ELEMENT_BYTES: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8 };

function shapeString(draft: Draft, pattern: Pattern): void {
  const { random } = draft;
  const bytes = ELEMENT_BYTES[pattern.mnemonic.at(-1) ?? ""] ?? 1;
  const isDown = random.oneIn(3);
  if (isDown) draft.registers.flags |= 0x400n;
  draft.set(RSI, inData(draft) + BigInt(random.below(8)));
  draft.set(RDI, inData(draft) + 0x400n + BigInt(random.below(8)));
  draft.set(RCX, random.pick([0n, 1n, 2n, 3n, 9n, 0x100n]));
  draft.set(RAX, integerValue(random, draft.mode));
  // Some elements before either of them leaves the data, or crosses into the next page.
  if (random.oneIn(4)) draft.set(RDI, nearAnEdge(random, bytes, isDown));
  if (random.oneIn(8)) draft.set(RSI, nearAnEdge(random, bytes, isDown));
  const rsi = draft.registers.general[RSI] ?? 0n;
  const rdi = draft.registers.general[RDI] ?? 0n;
  // Equal elements now and then, so that comparisons go on.
  if (random.oneIn(2)) {
    const element = BigInt.asUintN(8 * bytes, draft.registers.general[RAX] ?? 0n);
    const other = random.oneIn(2) ? element : random.bits(8 * bytes);
    storeRun(draft, rdi, element, { bytes, isDown });
    storeRun(draft, rsi, other, { bytes, isDown });
  }
}

/** Elements that a string instruction meets from `linear` on, where the data has room for them. */
function storeRun(
  draft: Draft,
  linear: bigint,
  element: bigint,
  { bytes, isDown }: { readonly bytes: number; readonly isDown: boolean },
): void {
  const count = 1 + draft.random.below(6);
  for (let index = 0; index < count; index += 1) {
    const at = Number(linear) + (isDown ? -index : index) * bytes;
    if (at >= DATA_ADDRESS && at + bytes <= DATA_ADDRESS + DATA_BYTES)
      draft.store(BigInt(at), bytes, element);
  }
}

/** Up to three elements away from where the data ends in the direction of a string, or from its second page. */
function nearAnEdge(random: Random, bytes: number, isDown: boolean): bigint {
  const distance = bytes * random.below(4) + random.below(bytes);
  const middle = DATA_ADDRESS + DATA_BYTES / 2;
  if (isDown) return BigInt(random.pick([DATA_ADDRESS, middle]) + distance);
  return BigInt(random.pick([DATA_ADDRESS + DATA_BYTES, middle]) - distance - 1);
}

function shapeXlat(draft: Draft): void {
  draft.set(RBX, inData(draft));
  draft.set(RAX, integerValue(draft.random, draft.mode));
}

/** Any flags but TF, which the recorder's step needs, and ID, which Linux does not let it take back. */
function shapeFlags(draft: Draft): void {
  draft.store(stackPointer(draft), draft.mode / 8, draft.random.bits(21) & ~0x100n);
}

function shapeEnter(draft: Draft, statement: Statement): void {
  const [size, level] = statement.arguments;
  if (size?.type !== "number" || level?.type !== "number") return;
  const { random } = draft;
  Object.assign(size, { value: BigInt(random.below(0x400)) });
  Object.assign(level, { value: BigInt(random.pick([0, 0, 1, 2, 3, 31, 33])) });
}

const COUNTS = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255] as const;

/** Counts at the edges of the operand's size, and of the five or six bits that count. */
function shapeCount(draft: Draft, statement: Statement): void {
  const count = BigInt(draft.random.pick(COUNTS));
  const last = statement.arguments.at(-1);
  if (last?.type === "register" && last.number === RCX && last.bits === 8)
    draft.setPart(RCX, 8, count);
  if (last?.type === "number" && last.value !== 1n) Object.assign(last, { value: count });
}

/** Makes the accumulator what the destination holds. */
function makeEqual(draft: Draft, statement: Statement, pattern: Pattern): void {
  const [destination] = statement.arguments;
  if (destination?.type === "register") {
    if (destination.number < 16) draft.set(RAX, draft.registers.general[destination.number] ?? 0n);
    return;
  }
  const bytes = draft.memory.at(-1)?.bytes;
  if (bytes === undefined) return;
  let value = 0n;
  for (const [index, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(index * 8);
  if (pattern.mnemonic === "cmpxchg") {
    draft.set(RAX, value);
    return;
  }
  const half = BigInt(bytes.length * 4);
  draft.set(RAX, BigInt.asUintN(Number(half), value));
  draft.set(RDX, value >> half);
}

/** Gives the last memory operand another value of the same size. */
function replaceLast(draft: Draft, value: bigint): void {
  const last = draft.memory.at(-1);
  if (last === undefined) return;
  for (const index of last.bytes.keys())
    last.bytes[index] = Number((value >> BigInt(index * 8)) & 0xffn);
}

/** A stack of some depth, in any rotation, and the control words that programs set. */
function shapeX87(draft: Draft, pattern: Pattern): void {
  const { random, registers } = draft;
  const top = random.below(8);
  // Instructions that push have room more often than not, the others have operands.
  const depth = /^f(?:ld|ild|bld|ptan|xtract|sincos)/u.test(pattern.mnemonic)
    ? random.pick([0, 1, 4, 7, 8] as const)
    : random.pick([8, 8, 8, 7, 2, 1, 0] as const);
  registers.statusWord = (top << 11) | (random.below(16) & 7 ? random.below(8) << 8 : 0);
  registers.tags = 0;
  for (let position = 0; position < 8; position++) {
    registers.stack[position] = extendedValue(random);
    if (position < depth) registers.tags |= 1 << ((top + position) & 7);
  }
  registers.controlWord = random.pick([
    0x37f, 0x37f, 0x37f, 0x27f, 0x07f, 0x77f, 0xb7f, 0xf7f,
  ] as const);
  if (random.oneIn(8)) registers.controlWord &= ~random.below(64);
  if (random.oneIn(4)) registers.statusWord |= random.below(128);
  // Noted and not masked: an exception is pending, which ES and B say.
  const pending = registers.statusWord & ~registers.controlWord & 0x3f;
  if (pending !== 0) registers.statusWord |= 0x8080;
}
