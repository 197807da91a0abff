import { decode, isDecodeFault } from "@ringside/isa";
import { CODE_ADDRESS, recordingPlan, ReplayMachine } from "@ringside/isa/testing";
import { describe, expect, test } from "vitest";
import { ingredients } from "./ingredient.ts";
import { planProgram } from "./plan-program.ts";
import { encodingAt, firstSteps } from "./program.ts";

const plan = recordingPlan().filter(({ key }) =>
  /^(?:add|mul|shl|adc|jb|jmp|call|ret|loop|setc|pushfq?|popfq?) /u.test(key),
);
const pool = ingredients(plan, 1, new ReplayMachine());
const seeds = Array.from({ length: 50 }, (_, seed) => seed);
const CMP_AL = 0x3c;

describe("A random program", () => {
  test("is the same for the same seed, and another for another", () => {
    const text = (seed: number): string =>
      Buffer.from(planProgram(pool, seed).input.code).toString("hex");
    expect(seeds.map(text)).toEqual(seeds.map(text));
    expect(new Set(seeds.map(text)).size).toBe(seeds.length);
  });

  test.each(seeds)(
    "defines all flags again behind an instruction that does not, seed %i",
    (seed) => {
      const { steps } = planProgram(pool, seed);
      const undefining = steps.flatMap(({ encoding }, position) =>
        (encoding?.except.flags.length ?? 0) > 0 && position < steps.length - 1 ? [position] : [],
      );
      expect(undefining.map((position) => steps[position + 1]?.code[0])).toEqual(
        undefining.map(() => CMP_AL),
      );
    },
  );

  test("goes forward alone, to the beginning of an instruction with its preparation, or to its end", () => {
    let transfers = 0;
    for (const seed of seeds) {
      const { input, steps } = planProgram(pool, seed);
      const addresses = new Set([input.code.length]);
      let at = 0;
      for (const { code } of steps) {
        addresses.add(at);
        at += code.length;
      }
      let offset = 0;
      for (const { code, encoding } of steps) {
        offset += code.length;
        if (!/ rel(?:8|32)$/u.test(encoding?.key ?? "")) continue;
        const decoded = decode(input.code, offset - code.length, { mode: input.mode });
        const distance = isDecodeFault(decoded) ? -1 : Number(decoded.relative);
        expect(distance).toBeGreaterThanOrEqual(0);
        expect(addresses).toContain(offset + distance);
        transfers += 1;
      }
    }
    expect(transfers).toBeGreaterThan(0);
  });

  test("ends, whatever it calls and returns to", () => {
    const machine = new ReplayMachine();
    for (const seed of seeds)
      expect(() => machine.executeProgram(planProgram(pool, seed).input)).not.toThrow();
  });

  test("knows its instructions by address, and can be cut behind each", () => {
    const program = planProgram(pool, 1);
    let at = 0;
    for (const [position, { code, encoding }] of program.steps.entries()) {
      expect(encodingAt(program, BigInt(CODE_ADDRESS + at))).toBe(encoding);
      const decoded = decode(program.input.code, at, { mode: program.input.mode });
      expect(isDecodeFault(decoded) ? 0 : decoded.lengthBytes).toBe(code.length);
      at += code.length;
      expect(firstSteps(program, position + 1).input.code).toEqual(program.input.code.slice(0, at));
    }
  });
});
