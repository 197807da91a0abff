/**
 * Decodes instructions by the rows of a table.
 *
 * Intel SDM Vol. 2A §2.1, "Instruction Format for Protected Mode, Real-Address Mode, and Virtual-8086 Mode"; §2.2,
 * "IA-32e Mode".
 */
import type { Instruction } from "../dsl.ts";
import type {
  CodeMode,
  DecodeContext,
  Decoded,
  DecodeFault,
  Decoder,
  Form,
  FormOperand,
  MemoryAddress,
  SegmentNumber,
} from "./decoded.ts";
import {
  buildOpcodeTable,
  VARIANT_ADDRESS_SIZE,
  VARIANT_MODE_SHIFT,
  VARIANT_OPERAND_SIZE,
  VARIANT_REP,
  VARIANT_REPNE,
  VARIANT_REX_B,
  VARIANT_REX_R,
  VARIANT_REX_W,
  type Choice,
  type OpcodeTable,
} from "./opcode-table.ts";
import type { Pattern } from "./pattern.ts";

/** Longest instruction. Intel SDM Vol. 2A §2.3.11, "AVX Instruction Length". */
const MAXIMUM_BYTES = 15;

const UNDEFINED: DecodeFault = { fault: "UD" };
const TOO_LONG: DecodeFault = { fault: "GP" };
const MORE: DecodeFault = { fault: "more" };

/** Control registers that exist; the others are #UD. */
const CONTROL_REGISTERS: ReadonlySet<number> = new Set([0, 2, 3, 4, 8]);

/**
 * The decoder of some instructions. Rows that need a feature outside `features` are left out; without `features`, none.
 *
 * @throws {SyntaxError} A row is malformed, or two rows mean the same bytes.
 */
export function decoderFor(
  instructions: readonly Instruction[],
  features?: ReadonlySet<string>,
): Decoder {
  const present = instructions.filter(
    ({ feature }) => feature === undefined || (features?.has(feature) ?? true),
  );
  const table = buildOpcodeTable(present);
  return {
    instructions: present,
    forms: table.forms,
    decode: (bytes, offset, length, context) => decode(table, bytes, offset, length, context),
  };
}

/** Bytes being decoded, and what was found so far. */
interface Cursor {
  readonly bytes: Uint8Array;
  readonly start: number;
  /** First byte that may not be read. */
  readonly end: number;
  readonly mode: CodeMode;
  position: number;
  operandSize: boolean;
  addressSize: boolean;
  lock: boolean;
  /** 0, F2 or F3: the last one. */
  repeat: number;
  segment: SegmentNumber | -1;
  rex: number;
}

function decode(
  table: OpcodeTable,
  bytes: Uint8Array,
  offset: number,
  length: number,
  context: DecodeContext,
): Decoded | DecodeFault {
  const { mode } = context;
  const cursor: Cursor = {
    bytes,
    start: offset,
    end: Math.min(offset + Math.min(length, MAXIMUM_BYTES), bytes.length),
    mode,
    position: offset,
    operandSize: false,
    addressSize: false,
    lock: false,
    repeat: 0,
    segment: -1,
    rex: 0,
  };
  const opcode = readOpcode(cursor);
  if (opcode < 0) return runOut(cursor);
  const entry = table.entries[opcode];
  if (entry === undefined) return UNDEFINED;
  let modRm = 0;
  if (entry.hasModRm) {
    modRm = cursor.position < cursor.end ? (bytes[cursor.position++] ?? 0) : -1;
    if (modRm < 0) return runOut(cursor);
  }
  const choice = table.choose(entry, modRm, variantOf(cursor));
  return choice === null ? UNDEFINED : finish(cursor, choice, opcode, modRm);
}

/** Why there are no more bytes. */
function runOut(cursor: Cursor): DecodeFault {
  return cursor.end - cursor.start >= MAXIMUM_BYTES ? TOO_LONG : MORE;
}

/** Reads prefixes and opcode; gives map * 256 + opcode, or -1. */
function readOpcode(cursor: Cursor): number {
  const { bytes, end, mode } = cursor;
  while (cursor.position < end) {
    const byte = bytes[cursor.position++] ?? 0;
    if (readPrefix(cursor, byte)) {
      // A REX prefix counts only right before the opcode.
      cursor.rex = 0;
      continue;
    }
    if (mode === 64 && (byte & 0xf0) === 0x40) {
      cursor.rex = byte;
      continue;
    }
    if (byte !== 0x0f) return byte;
    if (cursor.position >= end) return -1;
    const second = bytes[cursor.position++] ?? 0;
    if (second !== 0x38 && second !== 0x3a) return 256 + second;
    if (cursor.position >= end) return -1;
    return (second === 0x38 ? 512 : 768) + (bytes[cursor.position++] ?? 0);
  }
  return -1;
}

function readPrefix(cursor: Cursor, byte: number): boolean {
  switch (byte) {
    case 0x66:
      cursor.operandSize = true;
      return true;
    case 0x67:
      cursor.addressSize = true;
      return true;
    case 0xf0:
      cursor.lock = true;
      return true;
    case 0xf2:
    case 0xf3:
      cursor.repeat = byte;
      return true;
    case 0x26:
      return override(cursor, 0);
    case 0x2e:
      return override(cursor, 1);
    case 0x36:
      return override(cursor, 2);
    case 0x3e:
      return override(cursor, 3);
    case 0x64:
      return override(cursor, 4);
    case 0x65:
      return override(cursor, 5);
    default:
      return false;
  }
}

/** In 64-bit mode the prefixes of ES, CS, SS and DS are there and mean nothing. */
function override(cursor: Cursor, segment: SegmentNumber): true {
  if (cursor.mode !== 64 || segment >= 4) cursor.segment = segment;
  return true;
}

function variantOf(cursor: Cursor): number {
  const { rex } = cursor;
  return (
    ((cursor.mode === 64 ? 2 : cursor.mode === 32 ? 1 : 0) << VARIANT_MODE_SHIFT) |
    (cursor.repeat === 0xf3 ? VARIANT_REP : cursor.repeat === 0xf2 ? VARIANT_REPNE : 0) |
    (cursor.operandSize ? VARIANT_OPERAND_SIZE : 0) |
    (cursor.addressSize ? VARIANT_ADDRESS_SIZE : 0) |
    ((rex & 8) === 0 ? 0 : VARIANT_REX_W) |
    ((rex & 4) === 0 ? 0 : VARIANT_REX_R) |
    ((rex & 1) === 0 ? 0 : VARIANT_REX_B)
  );
}

/** Fields of the result while they are read. */
interface Fields {
  immediate: bigint;
  immediate2: number;
  relative: bigint;
  moffs: bigint;
}

function finish(
  cursor: Cursor,
  first: Choice,
  opcode: number,
  modRm: number,
): Decoded | DecodeFault {
  let memory: MemoryAddress | undefined;
  const hasModRmMemory = first.pattern.modRm.kind !== "none" && modRm < 0xc0;
  if (hasModRmMemory && first.pattern.rm !== "either-as-register" && !isLiteral(first.pattern)) {
    memory = readMemory(cursor, modRm);
    if (memory === undefined) return runOut(cursor);
  }
  const position = cursor.position;
  for (let choice: Choice | undefined = first; choice !== undefined; choice = choice.otherwise) {
    cursor.position = position;
    if (choice !== first && hasModRmMemory && memory === undefined) {
      memory = readMemory(cursor, modRm);
      if (memory === undefined) return runOut(cursor);
    }
    const fields: Fields = { immediate: 0n, immediate2: 0, relative: 0n, moffs: 0n };
    const fault = readTail(cursor, choice.pattern, fields);
    if (fault === "literal") continue;
    return fault ?? build(cursor, choice, opcode, modRm, memory, fields);
  }
  return UNDEFINED;
}

/** ModRM written out in the row is not an operand, even where it looks like memory. */
function isLiteral(pattern: Pattern): boolean {
  return pattern.modRm.kind === "byte";
}

function build(
  cursor: Cursor,
  choice: Choice,
  opcode: number,
  modRm: number,
  modRmMemory: MemoryAddress | undefined,
  fields: Fields,
): Decoded | DecodeFault {
  const { form } = choice;
  if (cursor.lock && !lockAllowed(form)) return UNDEFINED;
  const registers: number[] = [];
  for (const operand of form.operands) {
    const number = registerNumber(cursor, operand, opcode, modRm);
    if (number < 0) return UNDEFINED;
    registers.push(number);
  }
  const hasMoffs = choice.pattern.tail.at(-1)?.kind === "moffs";
  const memory = hasMoffs
    ? moffsAddress(cursor, fields.moffs)
    : form.hasMemory
      ? modRmMemory
      : undefined;
  return {
    form,
    lengthBytes: cursor.position - cursor.start,
    lock: cursor.lock,
    registers,
    immediate: fields.immediate,
    immediate2: fields.immediate2,
    ...(memory === undefined ? {} : { memory }),
    segmentOverride: cursor.segment,
    relative: fields.relative,
  };
}

/** LOCK goes with a memory destination. Intel SDM Vol. 2A, "LOCK—Assert LOCK# Signal Prefix". */
function lockAllowed(form: Form): boolean {
  if (form.instruction.lockable !== true) return false;
  return form.operands.some(
    ({ source, access, index }) =>
      source === "memory" && (index === 0 || access === "rw" || access === "w"),
  );
}

/** The register that an operand is, 0 for one that is not a register, or -1 when there is no such register. */
function registerNumber(
  cursor: Cursor,
  operand: FormOperand,
  opcode: number,
  modRm: number,
): number {
  const { rex } = cursor;
  let number: number;
  switch (operand.source) {
    case "reg":
      number = ((modRm >> 3) & 7) | ((rex & 4) << 1);
      break;
    case "rm":
      number = (modRm & 7) | ((rex & 1) << 3);
      break;
    case "opcode":
      number = (opcode & 7) | ((rex & 1) << 3);
      break;
    case "fixed":
      return operand.value;
    default:
      return 0;
  }
  switch (operand.kind) {
    case "register":
      return operand.bits === 8 && rex === 0 && number >= 4 ? number + 12 : number;
    case "segment":
      number &= 7;
      // Loading CS takes a far transfer.
      return number > 5 || (number === 1 && operand.index === 0) ? -1 : number;
    case "control":
      return CONTROL_REGISTERS.has(number) ? number : -1;
    case "debug":
      return number < 8 ? number : -1;
    case "mmx":
    case "x87":
      return number & 7;
    default:
      return number;
  }
}

function readMemory(cursor: Cursor, modRm: number): MemoryAddress | undefined {
  const { mode } = cursor;
  const addressWidth = cursor.addressSize ? (mode === 32 ? 16 : 32) : mode;
  return addressWidth === 16
    ? readMemory16(cursor, modRm)
    : readMemory32(cursor, modRm, addressWidth);
}

/** Base and index of the eight 16-bit forms. Intel SDM Vol. 2A §2.1.5, "Addressing-Mode Encoding of ModR/M and SIB Bytes". */
const BASES_16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEXES_16 = [6, 7, 6, 7, -1, -1, -1, -1];

function readMemory16(cursor: Cursor, modRm: number): MemoryAddress | undefined {
  const mod = modRm >> 6;
  const rm = modRm & 7;
  const direct = mod === 0 && rm === 6;
  const base = direct ? -1 : (BASES_16[rm] ?? -1);
  const bytes = direct ? 2 : mod;
  if (cursor.position + bytes > cursor.end) return undefined;
  const displacement = readSigned(cursor, bytes);
  const segment = segmentOf(cursor, base === 5 ? 2 : 3);
  return {
    base,
    index: INDEXES_16[rm] ?? -1,
    scaleShift: 0,
    displacement,
    segment,
    addressWidth: 16,
  };
}

function readMemory32(
  cursor: Cursor,
  modRm: number,
  addressWidth: 32 | 64,
): MemoryAddress | undefined {
  const { rex } = cursor;
  const mod = modRm >> 6;
  let base = modRm & 7;
  let index = -1;
  let scaleShift: MemoryAddress["scaleShift"] = 0;
  let displacementBytes = mod === 1 ? 1 : mod === 2 ? 4 : 0;
  if (base === 4) {
    if (cursor.position >= cursor.end) return undefined;
    const sib = cursor.bytes[cursor.position++] ?? 0;
    index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index === 4) index = -1;
    scaleShift = asScaleShift(sib >> 6);
    base = sib & 7;
    if (base === 5 && mod === 0) {
      base = -1;
      displacementBytes = 4;
    }
  } else if (base === 5 && mod === 0) {
    base = cursor.mode === 64 ? -2 : -1;
    displacementBytes = 4;
  }
  if (base >= 0) base |= (rex & 1) << 3;
  if (cursor.position + displacementBytes > cursor.end) return undefined;
  const displacement = readSigned(cursor, displacementBytes);
  const segment = segmentOf(cursor, base === 4 || base === 5 ? 2 : 3);
  return { base, index, scaleShift, displacement, segment, addressWidth };
}

function asScaleShift(bits: number): MemoryAddress["scaleShift"] {
  return bits === 0 ? 0 : bits === 1 ? 1 : bits === 2 ? 2 : 3;
}

function segmentOf(cursor: Cursor, usual: SegmentNumber): SegmentNumber {
  return cursor.segment === -1 ? usual : cursor.segment;
}

function moffsAddress(cursor: Cursor, offset: bigint): MemoryAddress {
  const addressWidth = cursor.addressSize ? (cursor.mode === 32 ? 16 : 32) : cursor.mode;
  return {
    base: -1,
    index: -1,
    scaleShift: 0,
    displacement: offset,
    segment: segmentOf(cursor, 3),
    addressWidth,
  };
}

/** Reads what follows ModRM; "literal" when a byte that the row spells out is another. */
function readTail(
  cursor: Cursor,
  pattern: Pattern,
  fields: Fields,
): DecodeFault | "literal" | undefined {
  for (const part of pattern.tail) {
    const bytes = tailBytes(cursor, part);
    if (cursor.position + bytes > cursor.end) return runOut(cursor);
    switch (part.kind) {
      case "literal":
        if (cursor.bytes[cursor.position++] !== part.byte || hasPrefix(cursor)) return "literal";
        break;
      case "immediate": {
        const signed = pattern.operands.some(
          ({ place, access }) => place === "immediate" && access === "sx",
        );
        fields.immediate = signed ? readSigned(cursor, bytes) : readUnsigned(cursor, bytes);
        break;
      }
      case "immediate2":
        fields.immediate2 = Number(readUnsigned(cursor, bytes));
        break;
      case "relative":
        fields.relative = readSigned(cursor, bytes);
        break;
      case "moffs":
        fields.moffs = readUnsigned(cursor, bytes);
        break;
      case "far-pointer":
        fields.immediate = readUnsigned(cursor, part.offsetBytes);
        fields.immediate2 = Number(readUnsigned(cursor, 2));
        break;
    }
  }
  return undefined;
}

function tailBytes(cursor: Cursor, part: Pattern["tail"][number]): number {
  switch (part.kind) {
    case "literal":
      return 1;
    case "moffs":
      return (cursor.addressSize ? (cursor.mode === 32 ? 16 : 32) : cursor.mode) / 8;
    case "far-pointer":
      return part.offsetBytes + 2;
    default:
      return part.bytes;
  }
}

/** Rows that spell out bytes after ModRM mean exactly these bytes, without prefixes. */
function hasPrefix(cursor: Cursor): boolean {
  return (
    cursor.rex !== 0 ||
    cursor.operandSize ||
    cursor.addressSize ||
    cursor.lock ||
    cursor.repeat !== 0 ||
    cursor.segment !== -1
  );
}

/** Reads little-endian bytes, which are known to be there. */
function readUnsigned(cursor: Cursor, bytes: number): bigint {
  const low = readBytes(cursor, Math.min(bytes, 4));
  if (bytes <= 4) return BigInt(low);
  return BigInt(low) | (BigInt(readBytes(cursor, bytes - 4)) << 32n);
}

function readSigned(cursor: Cursor, bytes: number): bigint {
  if (bytes === 0) return 0n;
  return BigInt.asIntN(bytes * 8, readUnsigned(cursor, bytes));
}

function readBytes(cursor: Cursor, count: number): number {
  let value = 0;
  for (let shift = 0; shift < count * 8; shift += 8)
    value |= (cursor.bytes[cursor.position++] ?? 0) << shift;
  return value >>> 0;
}
