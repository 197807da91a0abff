/**
 * Encodes one instruction by the rows: of the encodings that fit, the shortest, and of these the first in the table.
 */
import type { CodeMode } from "../decoder/decoded.ts";
import { existsIn } from "../decoder/forms.ts";
import type { Pattern, PlacedOperand } from "../decoder/pattern.ts";
import {
  AssemblyError,
  type Argument,
  type MemoryArgument,
  type RegisterArgument,
  type Statement,
} from "./argument.ts";
import { addressBytes, type AddressBytes } from "./address-bytes.ts";

/** Where an instruction will lie. */
export interface Location {
  readonly mode: CodeMode;
  /** Linear address of its first byte, for branches and RIP-relative operands. */
  readonly address: bigint;
  /** Encodings shorter than this are passed over. */
  readonly minimumBytes?: number;
}

/**
 * Encodes a statement with one of the patterns of its mnemonic.
 *
 * @throws {AssemblyError} None fits, or the size of a memory operand is open.
 */
export function encodeStatement(
  patterns: readonly Pattern[],
  statement: Statement,
  location: Location,
): Uint8Array {
  let best: Uint8Array | undefined;
  let bestIsUsual = false;
  const sizes = new Set<number>();
  const minimumBytes = location.minimumBytes ?? 0;
  for (const pattern of patterns) {
    const bytes = encodePattern(pattern, statement, location);
    if (bytes === undefined || bytes.length < minimumBytes) continue;
    const size = openMemorySize(pattern, statement);
    if (size !== undefined) sizes.add(size);
    // PUSH 5 and LEAVE do not say a size, so they have that of the mode, even if another encoding is shorter.
    const isUsual =
      statement.operandSize !== undefined || sizeIsUsualOrWritten(pattern, location.mode);
    const isBetter =
      best === undefined || (isUsual === bestIsUsual ? bytes.length < best.length : isUsual);
    if (isBetter) [best, bestIsUsual] = [bytes, isUsual];
  }
  if (sizes.size > 1) {
    throw new AssemblyError(
      `The size of ${statement.mnemonic}'s memory operand is open. Write byte, word, dword or qword ptr in front of it.`,
      0,
    );
  }
  if (best === undefined) throw new AssemblyError(refusal(patterns, statement, location.mode), 0);
  return best;
}

/** Whether a pattern has the operand size that needs no prefix, or its operands show the size. */
function sizeIsUsualOrWritten(pattern: Pattern, mode: CodeMode): boolean {
  const { operandSize } = pattern;
  if (
    operandSize === undefined ||
    pattern.mandatory === "np" ||
    (operandSize === 64 ? !pattern.rexW : operandSize === (mode === 16 ? 16 : 32))
  ) {
    return true;
  }
  return pattern.operands.some(
    ({ pattern: { register, memory, moffs } }) =>
      (register?.kind === "register" && register.bits === operandSize) ||
      (memory ?? moffs)?.bits === operandSize,
  );
}

function refusal(patterns: readonly Pattern[], statement: Statement, mode: CodeMode): string {
  const forms = patterns.map((pattern) => pattern.encoding.instruction);
  const known = [...new Set(forms)].join("; ");
  return `No encoding of ${statement.mnemonic} takes these operands in ${mode}-bit code. It can be: ${known}.`;
}

/** Size that a pattern gives to a memory argument without one. */
function openMemorySize(pattern: Pattern, statement: Statement): number | undefined {
  const operands = pattern.writtenOperands;
  for (const [index, argument] of statement.arguments.entries()) {
    if (argument.type !== "memory" || argument.bits !== undefined) continue;
    const operand = operands[index]?.pattern;
    return operand?.moffs?.bits ?? operand?.memory?.bits;
  }
  return undefined;
}

/** The encoding while it is put together. */
interface Parts {
  rex: number;
  /** A REX prefix is needed (SPL, BPL, SIL, DIL), or impossible (AH, CH, DH, BH). */
  rexNeeded: boolean;
  rexRefused: boolean;
  opcodeLow: number;
  reg: number;
  rm: number;
  memory: MemoryArgument | undefined;
  moffs: MemoryArgument | undefined;
  immediate: bigint;
  immediate2: bigint;
  target: bigint;
  selector: number;
}

/** Encodes a statement by one row, whichever would be shorter; undefined when it does not fit the row. */
export function encodePattern(
  pattern: Pattern,
  statement: Statement,
  location: Location,
): Uint8Array | undefined {
  const { mode } = location;
  const operands = pattern.writtenOperands;
  if (!mayTake(operands, statement.arguments)) return undefined;
  if (!existsIn(pattern, mode) || !prefixesFit(pattern, statement)) return undefined;
  const parts: Parts = {
    rex: pattern.rexW && pattern.operandSize === 64 ? 8 : 0,
    rexNeeded: false,
    rexRefused: false,
    opcodeLow: 0,
    reg: 0,
    rm: 0,
    memory: undefined,
    moffs: undefined,
    immediate: 0n,
    immediate2: 0n,
    target: 0n,
    selector: 0,
  };
  for (const [index, operand] of operands.entries()) {
    const argument = withAddressWidth(statement.arguments[index], statement);
    if (argument === undefined || !placeArgument(pattern, operand, argument, mode, parts))
      return undefined;
  }
  // 90 is NOP, which leaves the upper half of RAX alone.
  if (
    pattern.opcode === 0x90 &&
    pattern.registerInOpcode &&
    parts.opcodeLow === 0 &&
    (parts.rex & 1) === 0
  )
    return undefined;
  return emit(pattern, statement, location, parts);
}

/** Rejects most patterns by the kinds and sizes of their operands alone. */
function mayTake(operands: readonly PlacedOperand[], given: readonly Argument[]): boolean {
  if (operands.length !== given.length) return false;
  for (let index = 0; index < given.length; index++) {
    const argument = given[index];
    const wanted = operands[index]?.pattern;
    if (argument === undefined || wanted === undefined) return false;
    if (argument.type === "register") {
      if (wanted.register?.kind !== argument.kind) return false;
      if (argument.kind === "register" && wanted.register.bits !== argument.bits) return false;
    } else if (argument.type === "memory") {
      const bits = (wanted.memory ?? wanted.moffs)?.bits;
      if (bits === undefined || (bits !== 0 && (argument.bits ?? bits) !== bits)) return false;
    }
  }
  return true;
}

/** An address-size prefix counts for an address that does not say its size by its registers. */
function withAddressWidth(
  argument: Argument | undefined,
  statement: Statement,
): Argument | undefined {
  if (argument?.type !== "memory" || statement.addressWidth === undefined) return argument;
  return { ...argument, addressWidth: argument.addressWidth ?? statement.addressWidth };
}

function prefixesFit(pattern: Pattern, statement: Statement): boolean {
  const { repeatable, lockable } = pattern.instruction;
  if (statement.operandSize !== undefined && pattern.operandSize !== statement.operandSize)
    return false;
  if (
    pattern.addressSize !== undefined &&
    (statement.addressWidth ?? pattern.addressSize) !== pattern.addressSize
  )
    return false;
  if (
    statement.lock === true &&
    (lockable !== true || !statement.arguments.some(({ type }) => type === "memory"))
  ) {
    return false;
  }
  if (statement.repeat === undefined) return true;
  return repeatable === "repe-repne" || (repeatable === "rep" && statement.repeat === "rep");
}

/** Puts one argument where the pattern has its operand; false when it does not fit. */
function placeArgument(
  pattern: Pattern,
  operand: PlacedOperand,
  argument: Argument,
  mode: CodeMode,
  parts: Parts,
): boolean {
  const wanted = operand.pattern;
  switch (argument.type) {
    case "register":
      return (
        wanted.register !== undefined &&
        placeRegister(operand, argument, mode, parts, operand === pattern.operands[0])
      );
    case "memory":
      if (wanted.moffs !== undefined) return placeMoffs(wanted.moffs.bits, argument, mode, parts);
      if (wanted.memory === undefined || !memoryFits(operand, argument)) return false;
      parts.memory = argument;
      return true;
    case "far-pointer":
      if (wanted.farPointer === undefined) return false;
      parts.immediate = argument.offset;
      parts.selector = argument.selector;
      return argument.offset >> BigInt(wanted.farPointer.offsetBits) === 0n;
    case "number":
      return placeNumber(pattern, operand, argument.value, parts);
  }
}

function placeRegister(
  operand: PlacedOperand,
  argument: RegisterArgument,
  mode: CodeMode,
  parts: Parts,
  isFirst: boolean,
): boolean {
  const wanted = operand.pattern.register;
  if (wanted === undefined || wanted.kind !== argument.kind) return false;
  const { kind, number, bits } = argument;
  if (kind === "register" && wanted.bits !== bits) return false;
  if (mode !== 64 && ((number > 7 && number < 16) || (bits === 64 && kind === "register")))
    return false;
  if (wanted.fixed !== undefined) return wanted.fixed === number;
  // Loading CS takes a far transfer; MOV's destination is its first operand.
  if (kind === "segment" && number === 1 && isFirst) return false;
  if (kind === "register" && bits === 8) {
    if (number >= 16) parts.rexRefused = true;
    else if (number >= 4) parts.rexNeeded = true;
  }
  if (mode !== 64 && parts.rexNeeded) return false;
  const encoded = number >= 16 ? number - 12 : number;
  const low = encoded & 7;
  const high = encoded >> 3;
  switch (operand.place) {
    case "reg":
      parts.reg = low;
      parts.rex |= high << 2;
      return true;
    case "rm":
      parts.rm = low;
      parts.rex |= high;
      return true;
    case "opcode":
      parts.opcodeLow = low;
      parts.rex |= high;
      return true;
    default:
      return false;
  }
}

function memoryFits(operand: PlacedOperand, argument: MemoryArgument): boolean {
  const { memory, text } = operand.pattern;
  if (memory === undefined) return false;
  const isFar = text.includes(":");
  if (argument.far === true && !isFar) return false;
  // JMP and CALL have near and far targets in memory; LDS, LSS and the like only take far pointers.
  if (argument.far !== true && isFar && operand.access === "n") return false;
  return argument.bits === undefined || memory.bits === 0 || memory.bits === argument.bits;
}

function placeMoffs(bits: number, argument: MemoryArgument, mode: CodeMode, parts: Parts): boolean {
  if (argument.base !== undefined || argument.index !== undefined || argument.target !== undefined)
    return false;
  if (argument.bits !== undefined && argument.bits !== bits) return false;
  const offset = argument.displacement ?? 0n;
  if (offset < 0n || offset >> BigInt(argument.addressWidth ?? mode) !== 0n) return false;
  parts.moffs = argument;
  return true;
}

function placeNumber(
  pattern: Pattern,
  operand: PlacedOperand,
  value: bigint,
  parts: Parts,
): boolean {
  const { constant, immediate, relative } = operand.pattern;
  if (constant !== undefined) return value === BigInt(constant);
  if (relative !== undefined) {
    parts.target = value;
    return true;
  }
  if (immediate === undefined) return false;
  if (operand.place === "immediate2") parts.immediate2 = value;
  else parts.immediate = value;
  if (operand.access !== "sx") return fits(value, immediate.bits);
  // As the instruction sees it, at its width, the number must be its own sign extension.
  const width = signedWidth(pattern);
  return fits(value, width) && BigInt.asIntN(width, value) === BigInt.asIntN(immediate.bits, value);
}

function fits(value: bigint, bits: number): boolean {
  return value >= -(1n << BigInt(bits - 1)) && value < 1n << BigInt(bits);
}

function signedWidth(pattern: Pattern): number {
  for (const { pattern: operand } of pattern.operands) {
    const bits =
      operand.register?.kind === "register" ? operand.register.bits : operand.memory?.bits;
    if (bits !== undefined && bits > 0 && bits <= 64) return bits;
  }
  return pattern.operandSize ?? 64;
}

function emit(
  pattern: Pattern,
  statement: Statement,
  location: Location,
  parts: Parts,
): Uint8Array | undefined {
  const { mode, address } = location;
  const hasModRm = pattern.modRm.kind !== "none";
  // How far the end is from the displacement is known once the rest is, so memory comes last.
  const tailBytes = sizeOfTail(pattern, parts, mode);
  const reg = pattern.modRm.kind === "digit" ? pattern.modRm.digit : parts.reg;
  let memory: AddressBytes | undefined;
  if (parts.memory !== undefined) {
    memory = addressBytes(parts.memory, reg, mode);
    if (memory === undefined) return undefined;
    parts.rex |= memory.rex;
  }
  const prefixes = prefixBytes(pattern, statement, parts, memory?.addressWidth, mode);
  const bytes = [...prefixes, ...opcodeBytes(pattern, parts)];
  if (parts.rexRefused && (parts.rex !== 0 || parts.rexNeeded)) return undefined;
  if (mode !== 64 && (parts.rex !== 0 || parts.rexNeeded)) return undefined;
  if (memory !== undefined) {
    const end = address + BigInt(bytes.length + memory.bytes.length + tailBytes);
    if (!patchRipRelative(memory, parts.memory, end)) return undefined;
    bytes.push(...memory.bytes);
  } else if (pattern.modRm.kind === "byte") {
    bytes.push(pattern.registerInModRm ? pattern.modRm.byte | parts.rm : pattern.modRm.byte);
  } else if (hasModRm) {
    bytes.push(0xc0 | (reg << 3) | parts.rm);
  }
  if (!pushTail(pattern, parts, location, bytes)) return undefined;
  return bytes.length > 15 ? undefined : Uint8Array.from(bytes);
}

function sizeOfTail(pattern: Pattern, parts: Parts, mode: CodeMode): number {
  let bytes = 0;
  for (const part of pattern.tail) {
    if (part.kind === "literal") bytes += 1;
    else if (part.kind === "moffs") bytes += (parts.moffs?.addressWidth ?? mode) / 8;
    else if (part.kind === "far-pointer") bytes += part.offsetBytes + 2;
    else bytes += part.bytes;
  }
  return bytes;
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

function prefixBytes(
  pattern: Pattern,
  statement: Statement,
  parts: Parts,
  memoryAddressWidth: number | undefined,
  mode: CodeMode,
): number[] {
  const bytes: number[] = [];
  if (statement.lock === true) bytes.push(0xf0);
  if (statement.repeat !== undefined) bytes.push(statement.repeat === "repne" ? 0xf2 : 0xf3);
  const segment = (parts.memory ?? parts.moffs ?? statement).segment;
  if (segment !== undefined) bytes.push(SEGMENT_PREFIXES[segment] ?? 0);
  const addressWidth =
    memoryAddressWidth ??
    parts.moffs?.addressWidth ??
    pattern.addressSize ??
    statement.addressWidth;
  if (addressWidth !== undefined && addressWidth !== mode) bytes.push(0x67);
  const plain = mode === 16 ? 16 : 32;
  const isSmall =
    pattern.operandSize !== undefined &&
    pattern.operandSize !== 64 &&
    pattern.operandSize !== plain;
  if (isSmall && pattern.mandatory !== "66" && pattern.mandatory !== "np") bytes.push(0x66);
  if (pattern.mandatory === "66") bytes.push(0x66);
  if (pattern.mandatory === "f2") bytes.push(0xf2);
  if (pattern.mandatory === "f3") bytes.push(0xf3);
  return bytes;
}

function opcodeBytes(pattern: Pattern, parts: Parts): number[] {
  if (pattern.rexR) parts.rex |= 4;
  const bytes: number[] = [];
  if (parts.rex !== 0 || parts.rexNeeded) bytes.push(0x40 | parts.rex);
  if (pattern.map >= 1) bytes.push(0x0f);
  if (pattern.map >= 2) bytes.push(pattern.map === 2 ? 0x38 : 0x3a);
  bytes.push(pattern.opcode | parts.opcodeLow);
  return bytes;
}

/** Fills in the displacement to a target; false when it is too far. */
function patchRipRelative(
  memory: AddressBytes,
  argument: MemoryArgument | undefined,
  end: bigint,
): boolean {
  if (argument?.target === undefined) return true;
  // With 32-bit addresses the sum wraps at 4 GiB.
  const displacement = BigInt.asIntN(memory.addressWidth, argument.target - end);
  if (BigInt.asIntN(32, displacement) !== displacement) return false;
  const at = memory.bytes.length - 4;
  for (let index = 0; index < 4; index++)
    memory.bytes[at + index] = Number((displacement >> BigInt(index * 8)) & 0xffn);
  return true;
}

/** Appends immediates and offsets; false when a branch does not reach its target. */
function pushTail(pattern: Pattern, parts: Parts, location: Location, bytes: number[]): boolean {
  for (const part of pattern.tail) {
    switch (part.kind) {
      case "literal":
        bytes.push(part.byte);
        break;
      case "immediate":
        pushInteger(bytes, parts.immediate, part.bytes);
        break;
      case "immediate2":
        pushInteger(bytes, parts.immediate2, part.bytes);
        break;
      case "moffs":
        pushInteger(
          bytes,
          parts.moffs?.displacement ?? 0n,
          (parts.moffs?.addressWidth ?? location.mode) / 8,
        );
        break;
      case "far-pointer":
        pushInteger(bytes, parts.immediate, part.offsetBytes);
        pushInteger(bytes, BigInt(parts.selector), 2);
        break;
      case "relative": {
        const end = location.address + BigInt(bytes.length + part.bytes);
        // Outside 64-bit mode RIP wraps at the operand size, so that every target is in reach of the longest offset.
        const width = location.mode === 64 ? 64 : (pattern.operandSize ?? location.mode);
        const distance = BigInt.asIntN(width, parts.target - end);
        if (BigInt.asIntN(part.bytes * 8, distance) !== distance) return false;
        pushInteger(bytes, distance, part.bytes);
        break;
      }
    }
  }
  return true;
}

function pushInteger(bytes: number[], value: bigint, count: number): void {
  for (let index = 0; index < count; index++)
    bytes.push(Number((value >> BigInt(index * 8)) & 0xffn));
}
