/**
 * Operands as the assembler is given them.
 */
import type { NamedRegister } from "../decoder/register-names.ts";

/** A register; take it from {@link registersByName}. */
export interface RegisterArgument extends NamedRegister {
  readonly type: "register";
}

/** Memory. What is left out is not there, or is the default. */
export interface MemoryArgument {
  readonly type: "memory";
  /** Size of the operand; left out where the other operands say it. */
  readonly bits?: number;
  /** Memory that holds a far pointer (`call far [rax]`). */
  readonly far?: boolean;
  /** General register 0 to 15, or -2 for RIP. */
  readonly base?: number;
  readonly index?: number;
  readonly scale?: 1 | 2 | 4 | 8;
  /** Sign-extended 32 bits (64 where the encoding has a `moffs`). */
  readonly displacement?: bigint;
  /** Address that a RIP-relative operand names; replaces base and displacement. */
  readonly target?: bigint;
  /** Segment register 0 to 5. */
  readonly segment?: number;
  /** Size of base and index; default that of the mode. */
  readonly addressWidth?: 16 | 32 | 64;
}

/** A number: an immediate, or the address that a branch goes to. */
export interface NumberArgument {
  readonly type: "number";
  readonly value: bigint;
}

/** A far pointer in the instruction: `jmp 0x10:0x1000`. */
export interface FarPointerArgument {
  readonly type: "far-pointer";
  readonly selector: number;
  readonly offset: bigint;
}

export type Argument = RegisterArgument | MemoryArgument | NumberArgument | FarPointerArgument;

/** One instruction to encode. */
export interface Statement {
  /** Lower case, as in the rows. */
  readonly mnemonic: string;
  readonly arguments: readonly Argument[];
  readonly lock?: boolean;
  readonly repeat?: "rep" | "repe" | "repne";
  /** Address size of an instruction whose meaning includes it, or of an address without registers. */
  readonly addressWidth?: 16 | 32 | 64;
  /** Operand size, where the operands do not say it (`o16 leave`). */
  readonly operandSize?: 16 | 32 | 64;
  /** Segment override of an instruction that addresses memory without an operand (`fs lodsb`). */
  readonly segment?: number;
}

/** An instruction that no row can encode, or text that is not assembly. */
export class AssemblyError extends SyntaxError {
  /** Line of the text, from 1; 0 without text. */
  readonly line: number;

  constructor(message: string, line: number) {
    super(line === 0 ? message : `Line ${line}: ${message}`);
    this.name = "AssemblyError";
    this.line = line;
  }
}
