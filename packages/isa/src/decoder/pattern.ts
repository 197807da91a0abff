/**
 * An encoding's row, read: which prefixes, opcode bytes and ModRM values it has, what follows, and where each operand is.
 *
 * Everything that works on bytes (decoder, assembler) works on patterns, so the manual's notation is read in one place.
 * Intel SDM Vol. 2A §3.1.1.1, "Opcode Column in the Instruction Summary Table".
 */
import type { Access, Encoding, Instruction } from "../dsl.ts";
import { parseOperandPattern, type OperandPattern } from "./operand-pattern.ts";

/** Opcode maps: one byte, 0F, 0F 38, 0F 3A. */
export type OpcodeMap = 0 | 1 | 2 | 3;

/** Where a pattern's operand is encoded. */
export type Place =
  | "reg"
  | "rm"
  | "opcode"
  | "fixed"
  | "implicit-memory"
  | "immediate"
  | "immediate2"
  | "relative"
  | "moffs"
  | "far-pointer";

/** An operand with its place. */
export interface PlacedOperand {
  readonly pattern: OperandPattern;
  readonly access: Access;
  readonly place: Place;
}

/** Bytes after ModRM, SIB and displacement. */
export type Tail =
  | { readonly kind: "immediate" | "immediate2" | "relative"; readonly bytes: 1 | 2 | 4 | 8 }
  | { readonly kind: "moffs" }
  | { readonly kind: "far-pointer"; readonly offsetBytes: 2 | 4 }
  | { readonly kind: "literal"; readonly byte: number };

/** What the opcode column says of ModRM. `byte`: one value, or eight of them when {@link Pattern.registerInModRm}. */
export type ModRm =
  | { readonly kind: "none" }
  | { readonly kind: "any" }
  | { readonly kind: "digit"; readonly digit: number }
  | { readonly kind: "byte"; readonly byte: number };

/** What an encoding's `r/m` may be. `either-as-register`: MOV to and from CR and DR take any mod as a register. */
export type RmKind = "register" | "memory" | "both" | "either-as-register";

/** A row of the opcode table, read. */
export interface Pattern {
  readonly instruction: Instruction;
  readonly encoding: Encoding;
  readonly mnemonic: string;
  /** `any`: the row says nothing of prefixes. */
  readonly mandatory: "any" | "np" | "66" | "f2" | "f3";
  readonly map: OpcodeMap;
  readonly opcode: number;
  /** The low three bits of the opcode are a register. */
  readonly registerInOpcode: boolean;
  readonly registerInModRm: boolean;
  readonly modRm: ModRm;
  readonly rm: RmKind;
  /** Effective operand size; undefined matches any. */
  readonly operandSize: 16 | 32 | 64 | undefined;
  /** The size 64 needs REX.W; else (`o64`) it is the default of 64-bit mode. */
  readonly rexW: boolean;
  readonly rexR: boolean;
  readonly addressSize: 16 | 32 | 64 | undefined;
  readonly operands: readonly PlacedOperand[];
  /** Operands that assembly text has: all but the memory of string instructions. */
  readonly writtenOperands: readonly PlacedOperand[];
  readonly tail: readonly Tail[];
}

const BYTE = /^[0-9A-F]{2}$/u;
const BYTE_WITH_REGISTER = /^([0-9A-F]{2})\+(rb|rw|rd|ro|i)$/u;
const IMMEDIATE_BYTES: Readonly<Record<string, 1 | 2 | 4 | 8>> = { ib: 1, iw: 2, id: 4, io: 8 };
const OFFSET_BYTES: Readonly<Record<string, 1 | 2 | 4 | 6>> = { cb: 1, cw: 2, cd: 4, cp: 6 };

/**
 * Reads one row.
 *
 * @throws {SyntaxError} The row is malformed, or its operands do not fit its opcode. The row is quoted.
 */
export function parsePattern(instruction: Instruction, encoding: Encoding): Pattern {
  const refuse = (problem: string): SyntaxError =>
    new SyntaxError(
      `${problem} in row "${encoding.opcode} | ${encoding.instruction}" of ${instruction.mnemonic} (${instruction.reference}).`,
    );
  const opcode = parseOpcodeColumn(encoding.opcode, refuse);
  const { mnemonic, names } = parseInstructionColumn(encoding.instruction);
  const operandPatterns = names.map((name) => {
    const pattern = parseOperandPattern(name, encoding.modes === "legacy");
    if (pattern === undefined) throw refuse(`Unknown operand "${name}"`);
    return pattern;
  });
  if (encoding.access.length !== 0 && encoding.access.length !== operandPatterns.length) {
    throw refuse(`${operandPatterns.length} operands with ${encoding.access.length} accesses`);
  }
  const operands = placeOperands(operandPatterns, encoding, opcode, refuse);
  const tail = buildTail(operands, opcode, refuse);
  return {
    instruction,
    encoding,
    mnemonic,
    mandatory: opcode.mandatory,
    map: opcode.map,
    opcode: opcode.byte,
    registerInOpcode: opcode.registerInOpcode,
    registerInModRm: opcode.registerInModRm,
    modRm: opcode.modRm,
    rm: rmKind(operands, opcode),
    operandSize: opcode.operandSize,
    rexW: opcode.rexW,
    rexR: opcode.rexR,
    addressSize: opcode.addressSize,
    operands,
    writtenOperands: operands.filter(({ place }) => place !== "implicit-memory"),
    tail,
  };
}

interface OpcodeColumn {
  mandatory: Pattern["mandatory"];
  map: OpcodeMap;
  byte: number;
  registerInOpcode: boolean;
  registerInModRm: boolean;
  modRm: ModRm;
  operandSize: 16 | 32 | 64 | undefined;
  rexW: boolean;
  rexR: boolean;
  addressSize: 16 | 32 | 64 | undefined;
  /** Tokens of immediates, offsets and literal bytes after the opcode and ModRM. */
  fields: string[];
}

type Refuse = (problem: string) => SyntaxError;

function parseOpcodeColumn(text: string, refuse: Refuse): OpcodeColumn {
  const column: OpcodeColumn = {
    mandatory: "any",
    map: 0,
    byte: -1,
    registerInOpcode: false,
    registerInModRm: false,
    modRm: { kind: "none" },
    operandSize: undefined,
    rexW: false,
    rexR: false,
    addressSize: undefined,
    fields: [],
  };
  const tokens = text
    .replaceAll(/\s*\+\s*/gu, "+")
    .split(/\s+/u)
    .flatMap(splitPrefixSum);
  for (const [at, token] of tokens.entries()) {
    if (!parsePrefixToken(token, column, tokens.slice(at + 1)))
      parseOpcodeToken(token, column, refuse);
  }
  if (column.byte < 0) throw refuse("No opcode byte");
  return column;
}

/** `REX.W+8B` is `REX.W 8B`; `50+rd` stays one token. */
function splitPrefixSum(token: string): string[] {
  const parts = token.split("+");
  const last = parts.at(-1) ?? "";
  if (parts.length < 2) return [token];
  if (/^(?:r[bwdo]|i)$/u.test(last)) return [...parts.slice(0, -2), parts.slice(-2).join("+")];
  return parts;
}

function parsePrefixToken(token: string, column: OpcodeColumn, rest: readonly string[]): boolean {
  if (column.byte >= 0) return false;
  switch (token) {
    case "NP":
      column.mandatory = "np";
      return true;
    case "66":
    case "F2":
    case "F3":
      // A row of a prefix byte alone would have no opcode after it.
      if (
        column.map !== 0 ||
        !rest.some((next) => BYTE.test(next) || BYTE_WITH_REGISTER.test(next))
      )
        return false;
      column.mandatory = token === "66" ? "66" : token === "F2" ? "f2" : "f3";
      return true;
    case "REX.W":
      column.rexW = true;
      column.operandSize = 64;
      return true;
    case "REX.R":
      column.rexR = true;
      return true;
    case "REX":
      return true;
    case "o16":
    case "o32":
    case "o64":
      column.operandSize = token === "o16" ? 16 : token === "o32" ? 32 : 64;
      return true;
    case "a16":
    case "a32":
    case "a64":
      column.addressSize = token === "a16" ? 16 : token === "a32" ? 32 : 64;
      return true;
    default:
      return false;
  }
}

function parseOpcodeToken(token: string, column: OpcodeColumn, refuse: Refuse): void {
  const register = BYTE_WITH_REGISTER.exec(token);
  if (BYTE.test(token) || register !== null) {
    const byte = Number.parseInt(token.slice(0, 2), 16);
    if (column.byte < 0 && register === null && escapeByte(byte, column)) return;
    if (column.byte < 0) {
      column.byte = byte;
      column.registerInOpcode = register !== null;
      if ((byte & 7) !== 0 && register !== null)
        throw refuse(`Opcode ${token} has no room for a register`);
    } else if (column.modRm.kind === "none" && column.fields.length === 0) {
      column.modRm = { kind: "byte", byte };
      column.registerInModRm = register !== null;
    } else {
      if (register !== null) throw refuse(`Unexpected "${token}"`);
      column.fields.push(token);
    }
    return;
  }
  if (column.byte < 0) throw refuse(`Unknown "${token}" before the opcode`);
  if (/^\/[0-7r]$/u.test(token)) {
    if (column.modRm.kind !== "none") throw refuse("Two ModRM bytes");
    column.modRm = token === "/r" ? { kind: "any" } : { kind: "digit", digit: Number(token[1]) };
    return;
  }
  if (token in IMMEDIATE_BYTES || token in OFFSET_BYTES) {
    column.fields.push(token);
    return;
  }
  throw refuse(`Unknown "${token}"`);
}

/** Moves on to another opcode map. */
function escapeByte(byte: number, column: OpcodeColumn): boolean {
  if (column.map === 0 && byte === 0x0f) {
    column.map = 1;
    return true;
  }
  if (column.map === 1 && (byte === 0x38 || byte === 0x3a)) {
    column.map = byte === 0x38 ? 2 : 3;
    return true;
  }
  return false;
}

/** Splits `MNEMONIC operand, operand`; a prefix in front (`REP MOVS`) is not part of the mnemonic. */
function parseInstructionColumn(text: string): { mnemonic: string; names: readonly string[] } {
  const words = text.trim().split(/\s+/u);
  const mnemonic = (words[0] ?? "").toLowerCase();
  const rest = words.slice(1).join(" ").replaceAll("*", "");
  const names = rest === "" ? [] : rest.split(",").map((name) => name.trim());
  return { mnemonic, names };
}

function placeOperands(
  patterns: readonly OperandPattern[],
  encoding: Encoding,
  opcode: OpcodeColumn,
  refuse: Refuse,
): readonly PlacedOperand[] {
  const hasRmOperand = patterns.some((pattern) => pattern.modrm);
  const free = patterns.filter((pattern) => isFreeRegister(pattern));
  let immediates = 0;
  let freeSeen = 0;
  const place = (pattern: OperandPattern): Place => {
    if (pattern.constant !== undefined || pattern.register?.fixed !== undefined) return "fixed";
    if (pattern.immediate !== undefined) return immediates++ === 0 ? "immediate" : "immediate2";
    if (pattern.relative !== undefined) return "relative";
    if (pattern.moffs !== undefined) return "moffs";
    if (pattern.farPointer !== undefined) return "far-pointer";
    if (pattern.modrm) return opcode.modRm.kind === "none" ? "implicit-memory" : "rm";
    freeSeen += 1;
    if (opcode.registerInOpcode) return "opcode";
    if (opcode.registerInModRm || opcode.modRm.kind === "digit") return "rm";
    if (opcode.modRm.kind !== "any") throw refuse(`No place for operand "${pattern.text}"`);
    if (hasRmOperand || isSystemRegister(pattern)) return "reg";
    if (free.some(isSystemRegister)) return "rm";
    return freeSeen === 1 && free.length > 1 ? "reg" : "rm";
  };
  const placed = patterns.map((pattern, index) => ({
    pattern,
    access: encoding.access[index] ?? "n",
    place: place(pattern),
  }));
  for (const each of ["reg", "rm", "opcode"]) {
    if (placed.filter((operand) => operand.place === each).length > 1)
      throw refuse(`Two operands in ${each}`);
  }
  return placed;
}

/** Whether an operand is a register whose number is in the bytes, and which could be in either field of ModRM. */
function isFreeRegister(pattern: OperandPattern): boolean {
  return !pattern.modrm && pattern.register !== undefined && pattern.register.fixed === undefined;
}

function isSystemRegister(pattern: OperandPattern): boolean {
  const kind = pattern.register?.kind;
  return kind === "control" || kind === "debug" || kind === "segment";
}

function buildTail(
  operands: readonly PlacedOperand[],
  opcode: OpcodeColumn,
  refuse: Refuse,
): readonly Tail[] {
  const waiting = operands.filter((operand) =>
    ["immediate", "immediate2", "relative", "far-pointer"].includes(operand.place),
  );
  const tail: Tail[] = [];
  for (const field of opcode.fields) {
    if (BYTE.test(field)) {
      tail.push({ kind: "literal", byte: Number.parseInt(field, 16) });
      continue;
    }
    const operand = waiting.shift();
    if (operand === undefined) throw refuse(`No operand for "${field}"`);
    tail.push(tailOf(operand, field, refuse));
  }
  if (waiting.length > 0) throw refuse(`No bytes for operand "${waiting[0]?.pattern.text ?? ""}"`);
  if (operands.some((operand) => operand.place === "moffs")) tail.push({ kind: "moffs" });
  return tail;
}

function tailOf(operand: PlacedOperand, field: string, refuse: Refuse): Tail {
  const { immediate, relative, farPointer } = operand.pattern;
  const bytes = IMMEDIATE_BYTES[field] ?? OFFSET_BYTES[field];
  if (farPointer !== undefined && bytes === farPointer.offsetBits / 8 + 2) {
    return { kind: "far-pointer", offsetBytes: farPointer.offsetBits === 16 ? 2 : 4 };
  }
  const bits = immediate?.bits ?? relative?.bits;
  if (bytes === undefined || bytes === 6 || bits !== bytes * 8) {
    throw refuse(`"${field}" does not fit operand "${operand.pattern.text}"`);
  }
  if (relative !== undefined) return { kind: "relative", bytes };
  return { kind: operand.place === "immediate2" ? "immediate2" : "immediate", bytes };
}

function rmKind(operands: readonly PlacedOperand[], opcode: OpcodeColumn): RmKind {
  if (opcode.modRm.kind === "byte") return opcode.modRm.byte >= 0xc0 ? "register" : "memory";
  const operand = operands.find((each) => each.place === "rm");
  if (operand === undefined) return "both";
  if (
    operands.some(
      (each) =>
        each.pattern.register?.kind === "control" || each.pattern.register?.kind === "debug",
    )
  ) {
    return "either-as-register";
  }
  if (operand.pattern.register === undefined) return "memory";
  return operand.pattern.memory === undefined ? "register" : "both";
}
