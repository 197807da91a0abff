/**
 * Reads a line of assembly text: `label: lock add dword ptr [rbx + rcx*8 + 0x10], eax ; comment`.
 */
import { registersByName, SEGMENT_NAMES } from "../decoder/register-names.ts";
import type { Argument, Statement } from "./argument.ts";
import { AssemblyError } from "./argument.ts";
import type { Expression, LineReader, Scope } from "./line-reader.ts";

/** An instruction whose numbers may depend on labels. */
export type DelayedStatement = (scope: Scope) => Statement;

type DelayedArgument = (scope: Scope) => Argument;

const SIZES: ReadonlyMap<string, number> = new Map([
  ["byte", 8],
  ["word", 16],
  ["dword", 32],
  ["fword", 48],
  ["qword", 64],
  ["tbyte", 80],
  ["tword", 80],
  ["xmmword", 128],
  ["oword", 128],
]);

const REPEATS: ReadonlyMap<string, "rep" | "repe" | "repne"> = new Map([
  ["rep", "rep"],
  ["repe", "repe"],
  ["repz", "repe"],
  ["repne", "repne"],
  ["repnz", "repne"],
]);

const ADDRESS_PREFIXES: ReadonlyMap<string, 16 | 32 | 64> = new Map([
  ["a16", 16],
  ["a32", 32],
  ["a64", 64],
]);

const OPERAND_PREFIXES: ReadonlyMap<string, 16 | 32 | 64> = new Map([
  ["o16", 16],
  ["o32", 32],
  ["o64", 64],
]);

/** Reads an instruction with its prefixes, to the end of the line. */
export function parseStatement(reader: LineReader): DelayedStatement {
  let lock = false;
  let repeat: Statement["repeat"];
  let addressWidth: Statement["addressWidth"];
  let operandSize: Statement["operandSize"];
  let segment: number | undefined;
  for (;;) {
    const word = reader.next.text.toLowerCase();
    if (word === "lock") lock = true;
    else if (REPEATS.has(word)) repeat = REPEATS.get(word);
    else if (ADDRESS_PREFIXES.has(word)) addressWidth = ADDRESS_PREFIXES.get(word);
    else if (OPERAND_PREFIXES.has(word)) operandSize = OPERAND_PREFIXES.get(word);
    else if (SEGMENT_NAMES.includes(word)) segment = SEGMENT_NAMES.indexOf(word);
    else break;
    reader.take();
  }
  if (reader.next.kind !== "word") throw reader.refuse("an instruction");
  const mnemonic = reader.take().text.toLowerCase();
  const parts: DelayedArgument[] = [];
  if (!reader.atEnd) {
    do parts.push(parseArgument(reader));
    while (reader.accept(","));
  }
  if (!reader.atEnd) throw reader.refuse('"," or the end of the line');
  return (scope) => ({
    mnemonic,
    arguments: parts.map((part) => part(scope)),
    lock,
    ...(repeat === undefined ? {} : { repeat }),
    ...(addressWidth === undefined ? {} : { addressWidth }),
    ...(operandSize === undefined ? {} : { operandSize }),
    ...(segment === undefined ? {} : { segment }),
  });
}

function parseArgument(reader: LineReader): DelayedArgument {
  let bits: number | undefined;
  let far = false;
  for (;;) {
    const word = reader.next.kind === "word" ? reader.next.text.toLowerCase() : "";
    if (SIZES.has(word)) bits = SIZES.get(word);
    else if (word === "far") far = true;
    else if (word !== "ptr" && word !== "short" && word !== "near") break;
    reader.take();
  }
  if (reader.next.text === "[") return parseMemory(reader, bits, far, undefined);
  const name = reader.next.text.toLowerCase();
  if (reader.next.kind === "word" && reader.peek(1).text === ":" && SEGMENT_NAMES.includes(name)) {
    reader.take();
    reader.take();
    return parseMemory(reader, bits, far, SEGMENT_NAMES.indexOf(name));
  }
  const register =
    reader.next.kind === "word" ? registersByName.get(registerText(reader)) : undefined;
  if (register !== undefined) {
    takeRegister(reader);
    return () => ({ type: "register", ...register });
  }
  const value = reader.expression();
  if (!reader.accept(":")) return (scope) => ({ type: "number", value: value.evaluate(scope) });
  const offset = reader.expression();
  return (scope) => ({
    type: "far-pointer",
    selector: Number(BigInt.asUintN(16, value.evaluate(scope))),
    offset: offset.evaluate(scope),
  });
}

/** `st(1)` is four tokens. */
function registerText(reader: LineReader): string {
  const name = reader.next.text.toLowerCase();
  return name === "st" && reader.peek(1).text === "(" ? `st(${reader.peek(2).text})` : name;
}

function takeRegister(reader: LineReader): void {
  const isStack = reader.take().text.toLowerCase() === "st" && reader.next.text === "(";
  if (!isStack) return;
  reader.take();
  reader.take();
  reader.expect(")");
}

/** The parts of an address while it is read. */
interface AddressParts {
  base: number | undefined;
  index: number | undefined;
  scale: 1 | 2 | 4 | 8;
  width: 16 | 32 | 64 | undefined;
  isRelative: boolean;
  offsets: { readonly expression: Expression; readonly negative: boolean }[];
}

function parseMemory(
  reader: LineReader,
  bits: number | undefined,
  far: boolean,
  outerSegment: number | undefined,
): DelayedArgument {
  reader.expect("[");
  let segment = outerSegment;
  const name = reader.next.text.toLowerCase();
  if (SEGMENT_NAMES.includes(name) && reader.peek(1).text === ":") {
    reader.take();
    reader.take();
    segment = SEGMENT_NAMES.indexOf(name);
  }
  const parts: AddressParts = {
    base: undefined,
    index: undefined,
    scale: 1,
    width: undefined,
    isRelative: reader.accept("rel"),
    offsets: [],
  };
  let negative = reader.accept("-");
  for (;;) {
    parseAddend(reader, parts, negative);
    if (reader.accept("+")) negative = false;
    else if (reader.accept("-")) negative = true;
    else break;
  }
  reader.expect("]");
  return finishMemory(parts, { bits, far, segment });
}

function parseAddend(reader: LineReader, parts: AddressParts, negative: boolean): void {
  const register = reader.next.kind === "word" ? reader.next.text.toLowerCase() : "";
  if (register === "rip") {
    reader.take();
    parts.isRelative = true;
    parts.base = -2;
    return;
  }
  if (isAddressRegister(register)) {
    if (negative) throw reader.refuse("a number to subtract");
    reader.take();
    addRegister(reader, parts, register, reader.accept("*") ? takeScale(reader) : undefined);
    return;
  }
  const scaled = reader.peek(2).text.toLowerCase();
  if (reader.next.kind === "number" && reader.peek(1).text === "*" && isAddressRegister(scaled)) {
    const scale = takeScale(reader);
    reader.take();
    reader.take();
    addRegister(reader, parts, scaled, scale);
    return;
  }
  parts.offsets.push({ expression: reader.term(), negative });
}

function isAddressRegister(name: string): boolean {
  const register = registersByName.get(name);
  return register?.kind === "register" && register.bits !== 8;
}

function takeScale(reader: LineReader): 1 | 2 | 4 | 8 {
  const { value } = reader.next;
  if (reader.next.kind !== "number" || ![1n, 2n, 4n, 8n].includes(value))
    throw reader.refuse("a scale of 1, 2, 4 or 8");
  reader.take();
  return value === 1n ? 1 : value === 2n ? 2 : value === 4n ? 4 : 8;
}

function addRegister(
  reader: LineReader,
  parts: AddressParts,
  name: string,
  scale: 1 | 2 | 4 | 8 | undefined,
): void {
  const register = registersByName.get(name);
  if (register === undefined) throw reader.refuse("a register");
  const width = register.bits === 64 ? 64 : register.bits === 32 ? 32 : 16;
  if (parts.width !== undefined && parts.width !== width)
    throw reader.refuse("registers of one size");
  parts.width = width;
  // A scale that is written makes an index, even if it is 1.
  if (parts.base === undefined && scale === undefined) parts.base = register.number;
  else if (parts.index === undefined) {
    parts.index = register.number;
    parts.scale = scale ?? 1;
  } else throw reader.refuse("at most a base and an index");
}

function finishMemory(
  parts: AddressParts,
  about: { bits: number | undefined; far: boolean; segment: number | undefined },
): DelayedArgument {
  let { base, index } = parts;
  // RSP cannot be an index; where the scale is 1 the two may change places.
  if (index === 4 && parts.scale === 1) [base, index] = [index, base];
  // 16-bit forms put BX and BP first.
  if (parts.width === 16 && (base === 6 || base === 7) && (index === 3 || index === 5))
    [base, index] = [index, base];
  const isTarget =
    parts.isRelative &&
    (base === undefined || parts.offsets.some(({ expression }) => expression.isSymbolic));
  return (scope) => {
    let displacement = 0n;
    for (const { expression, negative } of parts.offsets) {
      const value = expression.evaluate(scope);
      displacement += negative ? -value : value;
    }
    return {
      type: "memory",
      ...(about.bits === undefined ? {} : { bits: about.bits }),
      ...(about.far ? { far: true } : {}),
      ...(about.segment === undefined ? {} : { segment: about.segment }),
      ...(parts.width === undefined ? {} : { addressWidth: parts.width }),
      ...(base === undefined || isTarget ? {} : { base }),
      ...(index === undefined ? {} : { index, scale: parts.scale }),
      ...(isTarget ? { target: displacement } : { displacement }),
    };
  };
}

/** Reads `10, "text", label + 4`, each as little-endian integers of `size` bytes; strings give their characters. */
export function parseData(
  reader: LineReader,
  size: number,
): { sizeBytes: number; write: (scope: Scope) => number[] } {
  const items: ((scope: Scope) => number[])[] = [];
  let sizeBytes = 0;
  const { line } = reader;
  do {
    const following = reader.peek(1);
    if (reader.next.kind === "string" && (following.text === "," || following.kind === "end")) {
      const bytes = [...new TextEncoder().encode(reader.take().text)];
      while (bytes.length % size !== 0) bytes.push(0);
      sizeBytes += bytes.length;
      items.push(() => bytes);
      continue;
    }
    const expression = reader.expression();
    sizeBytes += size;
    items.push((scope) => integerBytes(expression.evaluate(scope), size, line));
  } while (reader.accept(","));
  if (!reader.atEnd) throw reader.refuse('"," or the end of the line');
  return { sizeBytes, write: (scope) => items.flatMap((item) => item(scope)) };
}

function integerBytes(value: bigint, size: number, line: number): number[] {
  const bits = BigInt(size * 8);
  if (value < -(1n << (bits - 1n)) || value >= 1n << bits) {
    throw new AssemblyError(`${value} does not fit ${size} bytes.`, line);
  }
  return Array.from({ length: size }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn));
}
