/**
 * The assembler of the whole table, made when it is first asked for.
 */
import { instructions } from "../instructions/index.ts";
import type { Statement } from "./argument.ts";
import { assemblerFor, type Assembler, type AssembleOptions, type Assembly } from "./assembler.ts";

let assembler: Assembler | undefined;

function wholeAssembler(): Assembler {
  assembler ??= assemblerFor(instructions);
  return assembler;
}

/**
 * Assembles Intel syntax; see {@link Assembler.assemble} for what a line can be.
 *
 * @throws {AssemblyError} With the line, and what was expected.
 */
export function assemble(text: string, options?: AssembleOptions): Assembly {
  return wholeAssembler().assemble(text, options);
}

/**
 * Encodes one instruction that is given as data.
 *
 * @throws {AssemblyError} No row has these operands.
 */
export function encode(statement: Statement, options?: AssembleOptions): Uint8Array {
  return wholeAssembler().encode(statement, options);
}
