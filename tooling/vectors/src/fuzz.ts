/**
 * `pnpm fuzz`: random instructions on the processor underneath and on ours, until they differ.
 *
 * Linux on x86-64 with gcc. Each round draws new operands, registers and memory for every row that user mode can execute
 * and the processor underneath has. A difference is printed with its round and, as a line of the vector files, with
 * everything that it takes to see it again; the status is then 1.
 *
 *     --round N     first round (default 1; round 0 is what the vector files hold)
 *     --rounds N    how many (default 10)
 *     --rows TEXT   rows whose key matches this regular expression
 */
import { parseArgs } from "node:util";
import {
  differences,
  formatVector,
  recordingPlan,
  ReplayMachine,
  type PlannedEncoding,
} from "@ringside/isa/testing";
import { buildHarness, HarnessProcess } from "./harness-process.ts";
import { observe } from "./observe.ts";

const UNDEFINED_OPCODE = 6;

const { values } = parseArgs({
  options: {
    round: { type: "string", default: "1" },
    rounds: { type: "string", default: "10" },
    rows: { type: "string", default: "" },
  },
});
const first = wholeNumber("--round", values.round, 0);
const rounds = wholeNumber("--rounds", values.rounds, 1);
const rows = new RegExp(values.rows, "iu");

const machine = new ReplayMachine();
const plan = recordingPlan().filter(
  ({ key, unrecorded }) => unrecorded === undefined && rows.test(key),
);
using harness = new HarnessProcess(buildHarness());
let compared = 0;
let differing = 0;
for (let round = first; round < first + rounds; round += 1) {
  for (const encoding of plan) await fuzz(encoding, round);
  console.log(`round ${round}: ${compared} instructions compared, ${differing} differ`);
}
process.exitCode = differing === 0 ? 0 : 1;

async function fuzz(encoding: PlannedEncoding, round: number): Promise<void> {
  for (const input of encoding.inputs(round)) {
    const theirs = await observe(encoding, input, harness);
    const ours = machine.execute(input);
    // The processor underneath lacks the instruction: nothing to compare with.
    if (theirs.fault?.vector === UNDEFINED_OPCODE && ours.fault?.vector !== UNDEFINED_OPCODE)
      continue;
    compared += 1;
    const found = differences(ours, theirs, encoding.except);
    if (found.length === 0) continue;
    differing += 1;
    const line = formatVector({ input, result: theirs });
    console.log(`round ${round}, ${encoding.key}: ${found.join("; ")}\n  ${line}`);
  }
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < least)
    throw new RangeError(`${option} is ${text}. Give a whole number of at least ${least}.`);
  return number;
}
