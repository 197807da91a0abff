/**
 * Reads the tokens of one line of assembly text, and expressions made of them.
 */
import { AssemblyError } from "./argument.ts";

/** A piece of a line. Words and punctuation keep their text, strings lose their quotes. */
export interface Token {
  readonly kind: "word" | "number" | "string" | "sign" | "end";
  readonly text: string;
  readonly value: bigint;
}

/** Gives the value of a label or constant; throws when there is none. */
export type Scope = (name: string) => bigint;

/** A number that may depend on labels. */
export interface Expression {
  readonly evaluate: (scope: Scope) => bigint;
  /** Whether a label, and not numbers alone, makes it. */
  readonly isSymbolic: boolean;
}

const TOKEN =
  /\s*(?:(?<comment>[;#].*)|(?<word>[A-Za-z_.$][\w.$]*)|(?<number>\d\w*)|(?<string>"[^"]*"|'[^']*'|`[^`]*`)|(?<sign><<|>>|[-+*/()[\],:=&|^~]))/uy;
const NUMBER =
  /^(?:0[xX](?<hex>[\da-fA-F_]+)|0[bB](?<binary>[01_]+)|(?<suffixed>\d[\da-fA-F_]*)[hH]|(?<decimal>[\d_]+))$/u;
const END: Token = { kind: "end", text: "the end of the line", value: 0n };

/** How deep parentheses and signs may be nested. */
const MAXIMUM_DEPTH = 100;

/** One line as tokens, read from left to right. */
export class LineReader {
  readonly line: number;
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(text: string, line: number) {
    this.line = line;
    this.#tokens = tokenize(text, line);
  }

  get next(): Token {
    return this.#tokens[this.#position] ?? END;
  }

  peek(distance: number): Token {
    return this.#tokens[this.#position + distance] ?? END;
  }

  get atEnd(): boolean {
    return this.next.kind === "end";
  }

  take(): Token {
    const token = this.next;
    this.#position += 1;
    return token;
  }

  /** Takes a sign or word if it comes next. */
  accept(text: string): boolean {
    const token = this.next;
    if ((token.kind !== "sign" && token.kind !== "word") || token.text.toLowerCase() !== text)
      return false;
    this.#position += 1;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw this.refuse(`"${text}"`);
  }

  /** An error that says what was expected where the reader is. */
  refuse(expected: string): AssemblyError {
    const { text } = this.next;
    return new AssemblyError(
      `Found ${this.atEnd ? text : `"${text}"`} where ${expected} was expected.`,
      this.line,
    );
  }

  /** Reads `a + b * (c - label)`; the operators are `| ^ & << >> + - * / ~`, bound as in C. */
  expression(): Expression {
    return this.#binary(0);
  }

  /** Reads an expression without sums at its top, as in an address. */
  term(): Expression {
    return this.#binary(LEVELS.length - 1);
  }

  #binary(level: number): Expression {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operate = this.next.kind === "sign" ? operators[this.next.text] : undefined;
      if (operate === undefined) return left;
      this.take();
      const first = left;
      const second = this.#binary(level + 1);
      const { line } = this;
      left = {
        isSymbolic: first.isSymbolic || second.isSymbolic,
        evaluate: (scope) => operate(first.evaluate(scope), second.evaluate(scope), line),
      };
    }
  }

  #unary(): Expression {
    this.#depth += 1;
    if (this.#depth > MAXIMUM_DEPTH) {
      throw new AssemblyError(
        `An expression is nested more than ${MAXIMUM_DEPTH} deep.`,
        this.line,
      );
    }
    const expression = this.#operand();
    this.#depth -= 1;
    return expression;
  }

  #operand(): Expression {
    if (this.accept("+")) return this.#unary();
    if (this.accept("-")) {
      const operand = this.#unary();
      return { isSymbolic: operand.isSymbolic, evaluate: (scope) => -operand.evaluate(scope) };
    }
    if (this.accept("~")) {
      const operand = this.#unary();
      return { isSymbolic: operand.isSymbolic, evaluate: (scope) => ~operand.evaluate(scope) };
    }
    if (this.accept("(")) {
      const inner = this.expression();
      this.expect(")");
      return inner;
    }
    const token = this.next;
    if (token.kind === "number") {
      this.take();
      return { isSymbolic: false, evaluate: () => token.value };
    }
    if (token.kind === "string") {
      this.take();
      const value = characterValue(token.text);
      return { isSymbolic: false, evaluate: () => value };
    }
    if (token.kind === "word") {
      this.take();
      return { isSymbolic: true, evaluate: (scope) => scope(token.text) };
    }
    throw this.refuse("a number or a name");
  }
}

type Operate = (left: bigint, right: bigint, line: number) => bigint;

/** Loosest first. */
const LEVELS: readonly Readonly<Record<string, Operate>>[] = [
  { "|": (left, right) => left | right },
  { "^": (left, right) => left ^ right },
  { "&": (left, right) => left & right },
  {
    "<<": (left, right, line) => left << shiftCount(right, line),
    ">>": (left, right, line) => left >> shiftCount(right, line),
  },
  { "+": (left, right) => left + right, "-": (left, right) => left - right },
  {
    "*": (left, right) => left * right,
    "/": (left, right, line) => {
      if (right === 0n) throw new AssemblyError("Division by zero.", line);
      return left / right;
    },
  },
];

function shiftCount(count: bigint, line: number): bigint {
  if (count < 0n || count > 64n)
    throw new AssemblyError(`Shift by ${count}. Shift by 0 to 64.`, line);
  return count;
}

/** The characters of a string as a little-endian number. */
function characterValue(text: string): bigint {
  let value = 0n;
  for (const [index, byte] of new TextEncoder().encode(text).entries())
    value |= BigInt(byte) << BigInt(index * 8);
  return value;
}

function tokenize(text: string, line: number): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) {
      if (text.slice(at).trim() === "") break;
      throw new AssemblyError(`"${text.slice(at).trim()[0] ?? ""}" means nothing here.`, line);
    }
    const { comment, word, number, string, sign } = match.groups ?? {};
    if (comment !== undefined) break;
    if (word !== undefined) tokens.push({ kind: "word", text: word, value: 0n });
    if (number !== undefined)
      tokens.push({ kind: "number", text: number, value: numberValue(number, line) });
    if (string !== undefined) tokens.push({ kind: "string", text: string.slice(1, -1), value: 0n });
    if (sign !== undefined) tokens.push({ kind: "sign", text: sign, value: 0n });
  }
  return tokens;
}

function numberValue(text: string, line: number): bigint {
  const { hex, binary, suffixed, decimal } = NUMBER.exec(text)?.groups ?? {};
  const digits = (part: string): string => part.replaceAll("_", "");
  if (hex !== undefined) return BigInt(`0x${digits(hex)}`);
  if (binary !== undefined) return BigInt(`0b${digits(binary)}`);
  if (suffixed !== undefined) return BigInt(`0x${digits(suffixed)}`);
  if (decimal !== undefined) return BigInt(digits(decimal));
  throw new AssemblyError(`"${text}" is not a number. Write 10, 0x0a, 0ah or 0b1010.`, line);
}
