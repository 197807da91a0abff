import {
  CODE_ADDRESS,
  initialRegisters,
  recordingPlan,
  type VectorResult,
} from "@ringside/isa/testing";
import { expect, test } from "vitest";
import { Coverage } from "./coverage.ts";
import type { Program } from "./program.ts";

const plan = recordingPlan().filter(({ key }) => /^(?:inc|dec) \| o32 FF|^ud2 /u.test(key));
const [increment, decrement, undefinedOpcode] = plan;

function result(offset: number, vector?: number): VectorResult {
  const fault = vector === undefined ? undefined : { vector, linear: undefined };
  return { rip: BigInt(CODE_ADDRESS + offset), registers: initialRegisters(64), memory: [], fault };
}

test("Coverage counts rows up to the instruction that faults, and programs that end", () => {
  expect(plan).toHaveLength(3);
  const two = Uint8Array.of(0xff, 0xc0);
  const steps = [increment, undefinedOpcode, decrement].map((encoding) => ({
    encoding,
    code: two,
  }));
  const program: Program = {
    input: { mode: 64, code: new Uint8Array(6), registers: initialRegisters(64), memory: [] },
    steps,
  };
  const coverage = new Coverage(plan);
  coverage.program(program, result(2, 6));
  coverage.program({ ...program, steps: steps.slice(0, 1) }, result(2));
  coverage.instruction(result(2));
  expect(coverage.lines()).toEqual([
    "Single instructions that complete: 100.0 % of 1.",
    "Programs that reach their end: 50.0 % of 2; exceptions of the others: vector 6 1.",
    "Rows in programs: 2 of 3; executions of a row: median 1, most 2.",
    `never in a program: ${decrement?.key}`,
  ]);
});
