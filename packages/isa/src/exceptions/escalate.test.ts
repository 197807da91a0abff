import { describe, expect, test } from "vitest";
import { escalate } from "./escalate.ts";
import { VECTOR } from "./vectors.ts";

// Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference", table "Conditions for Generating a Double Fault".
describe("An exception during delivery", () => {
  test.each([
    [undefined, VECTOR.GP, "deliver second"],
    [undefined, VECTOR.PF, "deliver second"],
    [VECTOR.UD, VECTOR.PF, "deliver second"],
    [VECTOR.DB, VECTOR.GP, "deliver second"],
    [VECTOR.GP, VECTOR.GP, "double fault"],
    [VECTOR.DE, VECTOR.NP, "double fault"],
    [VECTOR.TS, VECTOR.SS, "double fault"],
    [VECTOR.GP, VECTOR.PF, "deliver second"],
    [VECTOR.GP, VECTOR.UD, "deliver second"],
    [VECTOR.PF, VECTOR.PF, "double fault"],
    [VECTOR.PF, VECTOR.GP, "double fault"],
    [VECTOR.PF, VECTOR.DB, "deliver second"],
    [VECTOR.DF, VECTOR.GP, "shutdown"],
    [VECTOR.DF, VECTOR.PF, "shutdown"],
    [VECTOR.DF, VECTOR.DB, "deliver second"],
  ] as const)("after %s meets %s: %s", (first, second, expected) => {
    expect(escalate(first, second)).toBe(expected);
  });
});
