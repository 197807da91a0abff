/**
 * Programs on the processor underneath and on ours; and of one that differs, the first instruction that does.
 */
import {
  differences,
  formatVector,
  type PlannedEncoding,
  type ReplayMachine,
  type Vector,
  type VectorResult,
} from "@ringside/isa/testing";
import type { HarnessProcess } from "./harness-process.ts";
import { observe, observeProgram } from "./observe.ts";
import { encodingAt, firstSteps, type Program } from "./program.ts";

const UNDEFINED_OPCODE = 6;
const NOTHING: PlannedEncoding["except"] = { flags: [], statusWord: 0 };

/** The two processors. */
export interface Processors {
  readonly harness: HarnessProcess;
  readonly machine: ReplayMachine;
}

interface Comparison {
  readonly theirs: VectorResult;
  readonly found: readonly string[];
}

/**
 * Compares what a program leaves behind.
 *
 * @returns Lines that say what differs; none when nothing does; undefined when the processor underneath lacks an instruction.
 */
export async function fuzzProgram(
  program: Program,
  processors: Processors,
): Promise<readonly string[] | undefined> {
  const whole = await compare(program, processors);
  if (whole === undefined || whole.found.length === 0) return whole?.found;
  return [whole.found.join("; "), ...(await firstDifference(program, processors))];
}

async function compare(
  program: Program,
  { harness, machine }: Processors,
): Promise<Comparison | undefined> {
  const theirs = await observeProgram(program, harness);
  const ours = machine.executeProgram(program.input);
  if (theirs.fault?.vector === UNDEFINED_OPCODE && ours.fault?.vector !== UNDEFINED_OPCODE)
    return undefined;
  // What is undefined is what the last instruction left so: programs define it anew before they go on.
  const last =
    theirs.fault === undefined ? program.steps.at(-1)?.encoding : encodingAt(program, theirs.rip);
  return { theirs, found: differences(ours, theirs, last?.except ?? NOTHING) };
}

/** Lines about the shortest beginning of a program that differs, its last instruction as a line of a vector file. */
async function firstDifference(
  program: Program,
  processors: Processors,
): Promise<readonly string[]> {
  let before: VectorResult | undefined;
  for (const [position, { code, encoding }] of program.steps.entries()) {
    const beginning = firstSteps(program, position + 1);
    const compared = await compare(beginning, processors);
    if (compared === undefined) return ["An instruction is missing now, and was not before."];
    const { theirs, found } = compared;
    if (found.length > 0) {
      const lines = [
        `instruction ${position + 1} of ${program.steps.length}: ${found.join("; ")}`,
        `whole: ${formatVector({ input: beginning.input, result: theirs })}`,
      ];
      if (encoding === undefined) return lines;
      const { input } = program;
      const alone = {
        mode: input.mode,
        code,
        registers: before?.registers ?? input.registers,
        memory: [...input.memory, ...(before?.memory ?? [])],
      };
      return [...lines, ...(await aloneLines(encoding, alone, processors))];
    }
    before = theirs;
  }
  return ["No beginning of it differs: it does not always do the same."];
}

async function aloneLines(
  encoding: PlannedEncoding,
  input: Vector["input"],
  { harness, machine }: Processors,
): Promise<readonly string[]> {
  const result = await observe(encoding, input, harness);
  const found = differences(machine.execute(input), result, encoding.except);
  return [
    found.length > 0 ? "differs alone, too:" : "does not differ alone:",
    `= ${encoding.key}`,
    formatVector({ input, result }),
  ];
}
