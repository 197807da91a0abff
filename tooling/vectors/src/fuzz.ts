/**
 * `pnpm fuzz`: random instructions and programs on the processor underneath and on ours, to see whether they differ.
 *
 * Linux on x86-64 with gcc. Each round draws new operands, registers and memory for every row that user mode can execute
 * and the processor underneath has, runs each alone, and then programs of 2 to 16 of them. A difference is printed with
 * its round and, as a line of the vector files, with everything that it takes to see it again; of a program that differs
 * the first instruction that does. The status is then 1.
 *
 *     --round N      first round (default 1; round 0 is what the vector files hold)
 *     --rounds N     how many (default 10)
 *     --programs N   programs in each round (default 2000; 0 for none)
 *     --program N    this program of each round alone, and no single instructions
 *     --rows TEXT    rows whose key matches this regular expression
 *     --coverage     at the end, how many programs reached theirs, and how often they executed each row
 *     --add          adds what differs to packages/isa/vectors/regressions.txt, with what the processor underneath did:
 *                    of each row the first; and with --program that program, whether it still differs or not
 */
import { parseArgs } from "node:util";
import {
  differences,
  formatVector,
  recordingPlan,
  ReplayMachine,
  type PlannedEncoding,
} from "@ringside/isa/testing";
import { variedInputs } from "./varied-inputs.ts";
import { Coverage } from "./coverage.ts";
import { fuzzProgram } from "./fuzz-programs.ts";
import { buildHarness, HarnessProcess } from "./harness-process.ts";
import { observe } from "./observe.ts";
import { canBeFollowed, ingredients } from "./ingredient.ts";
import { planProgram } from "./plan-program.ts";
import { explain, type ProcessorDifference } from "./processor-differences.ts";
import { addRegression, type Regression } from "./regressions.ts";

const UNDEFINED_OPCODE = 6;
/** Between the seeds of two rounds: odd, so that programs of different rounds have seeds far apart. */
const SEED_STEP = 0x9e37_79b1;

const { values } = parseArgs({
  options: {
    round: { type: "string", default: "1" },
    rounds: { type: "string", default: "10" },
    programs: { type: "string", default: "2000" },
    program: { type: "string" },
    rows: { type: "string", default: "" },
    add: { type: "boolean", default: false },
    coverage: { type: "boolean", default: false },
  },
});
const first = wholeNumber("--round", values.round, 0);
const rounds = wholeNumber("--rounds", values.rounds, 1);
const programs = wholeNumber("--programs", values.programs, 0);
const onlyProgram =
  values.program === undefined ? undefined : wholeNumber("--program", values.program, 0);
const rows = new RegExp(values.rows, "iu");

const machine = new ReplayMachine();
const plan = recordingPlan().filter(
  ({ key, unrecorded }) => unrecorded === undefined && rows.test(key),
);
using harness = new HarnessProcess(buildHarness());
const added = new Set<string>();
const coverage = new Coverage(plan);
const met = new Map<ProcessorDifference, number>();
let compared = 0;
let comparedPrograms = 0;
let differing = 0;
for (let round = first; round < first + rounds; round += 1) {
  if (onlyProgram === undefined) for (const encoding of plan) await fuzz(encoding, round);
  await fuzzPrograms(round);
  console.log(
    `round ${round}: ${compared} instructions and ${comparedPrograms} programs compared, ${differing} differ`,
  );
}
for (const [{ name, reference }, times] of met)
  console.log(`${times} times, as processors may differ: ${name} (${reference})`);
if (values.coverage) console.log(coverage.lines().join("\n"));
process.exitCode = differing === 0 ? 0 : 1;

async function fuzzPrograms(round: number): Promise<void> {
  if (programs === 0 && onlyProgram === undefined) return;
  const pool = ingredients(plan, round, machine);
  // The rows chosen may be such as end a program.
  if (!pool.some(canBeFollowed)) return;
  const start = onlyProgram ?? 0;
  const end = onlyProgram === undefined ? programs : onlyProgram + 1;
  for (let number = start; number < end; number += 1) {
    const program = planProgram(pool, Math.imul(round, SEED_STEP) + number);
    const report = await fuzzProgram(program, { harness, machine });
    if (report === undefined) continue;
    comparedPrograms += 1;
    const { found, regression, known } = report;
    if (known !== undefined) meet(known);
    coverage.program(program, report.theirs);
    if (found.length > 0 || onlyProgram !== undefined) add(regression);
    if (found.length === 0) continue;
    differing += 1;
    console.log(`round ${round}, program ${number}: ${found.join("\n  ")}`);
  }
}

async function fuzz(encoding: PlannedEncoding, round: number): Promise<void> {
  for (const input of variedInputs(encoding, round)) {
    const theirs = await observe(encoding, input, harness);
    const ours = machine.execute(input);
    // The processor underneath lacks the instruction: nothing to compare with.
    if (theirs.fault?.vector === UNDEFINED_OPCODE && ours.fault?.vector !== UNDEFINED_OPCODE)
      continue;
    compared += 1;
    coverage.instruction(theirs);
    const found = differences(ours, theirs, encoding.except);
    if (found.length === 0) continue;
    const before = { registers: input.registers, memory: [] };
    const known = explain({ encoding, code: input.code, before, ours, theirs });
    if (known !== undefined) {
      meet(known);
      continue;
    }
    differing += 1;
    const line = formatVector({ input, result: theirs });
    add({ key: encoding.key, line });
    console.log(`round ${round}, ${encoding.key}: ${found.join("; ")}\n  ${line}`);
  }
}

/** Counts a difference between processors. */
function meet(known: ProcessorDifference): void {
  met.set(known, (met.get(known) ?? 0) + 1);
}

/** Adds a difference to the corpus; of each row one, because the others mostly have the same cause. */
function add(regression: Regression | undefined): void {
  if (!values.add || regression === undefined || added.has(regression.key)) return;
  added.add(regression.key);
  addRegression(regression);
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < least)
    throw new RangeError(`${option} is ${text}. Give a whole number of at least ${least}.`);
  return number;
}
