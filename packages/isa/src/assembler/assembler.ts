/**
 * Assembles Intel syntax, or single instructions given as data, by the rows of a table.
 *
 * Text is read once; then lengths and labels are settled together: everything starts as short as it can be and
 * instructions only ever grow, so the search ends.
 */
import type { CodeMode } from "../decoder/decoded.ts";
import { parsePattern, type Pattern } from "../decoder/pattern.ts";
import type { Instruction } from "../dsl.ts";
import { AssemblyError, type Statement } from "./argument.ts";
import { encodeStatement } from "./encode.ts";
import { LineReader, type Scope } from "./line-reader.ts";
import { parseData, parseStatement, type DelayedStatement } from "./parse-line.ts";

/** Where code will lie, and what kind it is. */
export interface AssembleOptions {
  /** Linear address of the first byte; default 0. */
  readonly address?: bigint;
  /** Default 64. The text may change it by `bits 32`. */
  readonly mode?: CodeMode;
}

/** Assembled text. */
export interface Assembly {
  readonly bytes: Uint8Array;
  readonly address: bigint;
  /** Addresses of labels, and values of constants. Labels that begin with a dot have the label before them in front: `loop.next`. */
  readonly symbols: ReadonlyMap<string, bigint>;
}

/** Encodes instructions of one table. */
export interface Assembler {
  /**
   * Assembles text: a line holds `label:`, an instruction, or one of the directives `db dw dd dq` (data), `resb n` (zeros),
   * `align n`, `name equ value` and `bits 16|32|64`. `$` is the address of the line; comments begin with `;` or `#`.
   *
   * @throws {AssemblyError} With the line, and what was expected.
   */
  assemble(text: string, options?: AssembleOptions): Assembly;
  /**
   * Encodes one instruction.
   *
   * @throws {AssemblyError} No row has these operands.
   */
  encode(statement: Statement, options?: AssembleOptions): Uint8Array;
}

/** The assembler of some instructions. */
export function assemblerFor(instructions: readonly Instruction[]): Assembler {
  const byMnemonic = new Map<string, Pattern[]>();
  for (const instruction of instructions) {
    for (const encoding of instruction.encodings) {
      const pattern = parsePattern(instruction, encoding);
      const known = byMnemonic.get(pattern.mnemonic);
      if (known === undefined) byMnemonic.set(pattern.mnemonic, [pattern]);
      else known.push(pattern);
    }
  }
  addSynonyms(byMnemonic);
  const patternsOf = (mnemonic: string): readonly Pattern[] => {
    const patterns = byMnemonic.get(mnemonic);
    if (patterns === undefined) throw new AssemblyError(`There is no instruction ${mnemonic}.`, 0);
    return patterns;
  };
  return {
    assemble: (text, options = {}) => assembleText(text, options, patternsOf),
    encode: (statement, { address = 0n, mode = 64 } = {}) =>
      encodeStatement(patternsOf(statement.mnemonic), statement, { address, mode }),
  };
}

/** Condition codes with more than one name. Intel SDM Vol. 1 Appendix B, "EFLAGS Condition Codes". */
const CONDITIONS: readonly (readonly string[])[] = [
  ["b", "c", "nae"],
  ["ae", "nb", "nc"],
  ["e", "z"],
  ["ne", "nz"],
  ["be", "na"],
  ["a", "nbe"],
  ["p", "pe"],
  ["np", "po"],
  ["l", "nge"],
  ["ge", "nl"],
  ["le", "ng"],
  ["g", "nle"],
];

/** Gives the other names of condition codes, where the table has only one of them. */
function addSynonyms(byMnemonic: Map<string, Pattern[]>): void {
  const groups = ["j", "set", "cmov"].flatMap((stem) =>
    CONDITIONS.map((names) => names.map((name) => stem + name)),
  );
  groups.push(["shl", "sal"], ["fwait", "wait"], ["xlatb", "xlat"], ["int1", "icebp"]);
  for (const names of groups) {
    const patterns = names.map((name) => byMnemonic.get(name)).find((found) => found !== undefined);
    if (patterns === undefined) continue;
    for (const name of names) if (!byMnemonic.has(name)) byMnemonic.set(name, patterns);
  }
}

/** A piece of the output. */
interface Item {
  readonly line: number;
  readonly mode: CodeMode;
  /** Length so far; instructions grow. */
  sizeBytes: number;
  address: bigint;
  bytes: Uint8Array;
  readonly statement?: DelayedStatement;
  readonly data?: (scope: Scope) => number[];
  /** Bytes to fill up to a multiple of this. */
  readonly align?: number;
}

/** Text, read. */
interface Program {
  readonly items: Item[];
  /** Labels by the number of the item that they stand before. */
  readonly labels: Map<string, number>;
  readonly constants: Map<
    string,
    { line: number; evaluate: (scope: Scope) => bigint; local: string }
  >;
  /** Last label without a dot, for each item. */
  readonly localScopes: string[];
}

function assembleText(
  text: string,
  options: AssembleOptions,
  patternsOf: (mnemonic: string) => readonly Pattern[],
): Assembly {
  const { address = 0n, mode = 64 } = options;
  const program = readProgram(text, mode);
  settle(program, address, patternsOf);
  const sizeBytes = program.items.reduce((sum, item) => sum + item.sizeBytes, 0);
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const item of program.items) {
    bytes.set(item.bytes, at);
    at += item.sizeBytes;
  }
  return { bytes, address, symbols: symbolsOf(program, address) };
}

function readProgram(text: string, mode: CodeMode): Program {
  const program: Program = { items: [], labels: new Map(), constants: new Map(), localScopes: [] };
  const state = { mode, local: "" };
  for (const [index, source] of text.split("\n").entries())
    readLine(new LineReader(source, index + 1), program, state);
  return program;
}

const DATA_SIZES: ReadonlyMap<string, number> = new Map([
  ["db", 1],
  ["dw", 2],
  ["dd", 4],
  ["dq", 8],
]);

/** Most that `align` and `resb` may add. */
const MAXIMUM_FILL_BYTES = 16 * 1024 * 1024;

function readLine(
  reader: LineReader,
  program: Program,
  state: { mode: CodeMode; local: string },
): void {
  while (reader.next.kind === "word" && reader.peek(1).text === ":") {
    const name = reader.take().text;
    reader.take();
    if (!name.startsWith(".")) state.local = name;
    define(program, qualify(name, state.local), reader.line);
    program.labels.set(qualify(name, state.local), program.items.length);
  }
  if (reader.atEnd) return;
  const add = (item: Partial<Item>): void => {
    program.items.push({
      line: reader.line,
      mode: state.mode,
      sizeBytes: 0,
      address: 0n,
      bytes: new Uint8Array(0),
      ...item,
    });
    program.localScopes.push(state.local);
  };
  const word = reader.next.text.toLowerCase();
  const following = reader.peek(1).text.toLowerCase();
  const dataSize = DATA_SIZES.get(word);
  if (following === "equ" || following === "=") {
    const name = qualify(reader.take().text, state.local);
    reader.take();
    define(program, name, reader.line);
    const { evaluate } = readWhole(reader);
    program.constants.set(name, { line: reader.line, evaluate, local: state.local });
  } else if (dataSize !== undefined) {
    reader.take();
    const data = parseData(reader, dataSize);
    add({ sizeBytes: data.sizeBytes, data: data.write });
  } else if (word === "bits") {
    reader.take();
    state.mode = readMode(reader);
  } else if (word === "align") {
    reader.take();
    const align = readCount(reader);
    if (align === 0 || (align & (align - 1)) !== 0)
      throw new AssemblyError(`Align to a power of two, not ${align}.`, reader.line);
    add({ align });
  } else if (word === "resb") {
    reader.take();
    const sizeBytes = readCount(reader);
    add({ sizeBytes, bytes: new Uint8Array(sizeBytes) });
  } else {
    add({ statement: parseStatement(reader) });
  }
}

function readWhole(reader: LineReader): { evaluate: (scope: Scope) => bigint } {
  const expression = reader.expression();
  if (!reader.atEnd) throw reader.refuse("the end of the line");
  return expression;
}

function readMode(reader: LineReader): CodeMode {
  const value = readCount(reader);
  if (value === 16 || value === 32 || value === 64) return value;
  throw new AssemblyError(`Code has 16, 32 or 64 bits, not ${value}.`, reader.line);
}

function readCount(reader: LineReader): number {
  const { line } = reader;
  const value = readWhole(reader).evaluate((name) => {
    throw new AssemblyError(`A number is needed here, not the name ${name}.`, line);
  });
  if (value < 0n || value > BigInt(MAXIMUM_FILL_BYTES)) {
    throw new AssemblyError(`${value} is not between 0 and ${MAXIMUM_FILL_BYTES}.`, line);
  }
  return Number(value);
}

function qualify(name: string, local: string): string {
  return name.startsWith(".") ? local + name : name;
}

function define(program: Program, name: string, line: number): void {
  if (program.labels.has(name) || program.constants.has(name)) {
    throw new AssemblyError(`${name} is defined twice.`, line);
  }
}

/** More rounds than any growing program needs; each makes at least one instruction longer. */
const MAXIMUM_ROUNDS = 1000;

/** Finds lengths and addresses that agree. */
function settle(
  program: Program,
  address: bigint,
  patternsOf: (mnemonic: string) => readonly Pattern[],
): void {
  for (let round = 0; round < MAXIMUM_ROUNDS; round++) {
    layOut(program, address);
    let changed = false;
    for (const [index, item] of program.items.entries())
      changed = write(program, index, item, patternsOf) || changed;
    if (!changed) return;
  }
  throw new AssemblyError(`Lengths and labels did not settle in ${MAXIMUM_ROUNDS} rounds.`, 0);
}

/** Gives each item its address. */
function layOut(program: Program, address: bigint): void {
  let at = address;
  for (const item of program.items) {
    item.address = at;
    if (item.align !== undefined)
      item.sizeBytes = Number(BigInt.asUintN(64, -at) & BigInt(item.align - 1));
    at += BigInt(item.sizeBytes);
  }
}

/** Writes an item's bytes; true when its length changed. */
function write(
  program: Program,
  index: number,
  item: Item,
  patternsOf: (mnemonic: string) => readonly Pattern[],
): boolean {
  const scope = scopeAt(program, program.localScopes[index] ?? "", item.line, item.address);
  if (item.align !== undefined) {
    item.bytes = new Uint8Array(item.sizeBytes).fill(0x90);
    return false;
  }
  if (item.data !== undefined) {
    item.bytes = Uint8Array.from(item.data(scope));
    return false;
  }
  if (item.statement === undefined) return false;
  item.bytes = withLine(item.line, () => {
    const statement = item.statement?.(scope) ?? { mnemonic: "", arguments: [] };
    const location = { mode: item.mode, address: item.address, minimumBytes: item.sizeBytes };
    return encodeStatement(patternsOf(statement.mnemonic), statement, location);
  });
  const changed = item.bytes.length !== item.sizeBytes;
  item.sizeBytes = item.bytes.length;
  return changed;
}

function withLine<T>(line: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof AssemblyError && error.line === 0)
      throw new AssemblyError(error.message, line);
    throw error;
  }
}

/** Looks names up: labels, constants, and `$`. */
function scopeAt(program: Program, local: string, line: number, here: bigint, depth = 0): Scope {
  return (name) => {
    if (name === "$") return here;
    const full = qualify(name, local);
    const label = program.labels.get(full);
    if (label !== undefined) return addressOf(program, label);
    const constant = program.constants.get(full);
    if (constant === undefined) throw new AssemblyError(`${name} is not defined.`, line);
    if (depth > program.constants.size)
      throw new AssemblyError(`${name} is defined by itself.`, constant.line);
    return constant.evaluate(scopeAt(program, constant.local, constant.line, here, depth + 1));
  };
}

function addressOf(program: Program, index: number): bigint {
  const item = program.items[index];
  if (item !== undefined) return item.address;
  const last = program.items.at(-1);
  return last === undefined ? 0n : last.address + BigInt(last.sizeBytes);
}

function symbolsOf(program: Program, address: bigint): ReadonlyMap<string, bigint> {
  const symbols = new Map<string, bigint>();
  for (const [name, index] of program.labels)
    symbols.set(name, program.items.length === 0 ? address : addressOf(program, index));
  for (const [name, constant] of program.constants) {
    symbols.set(name, constant.evaluate(scopeAt(program, constant.local, constant.line, address)));
  }
  return symbols;
}
