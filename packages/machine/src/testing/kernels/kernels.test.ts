import { describe, expect, test } from "vitest";
import { runOnBoard } from "./board.ts";
import { boardKernels } from "./index.ts";

describe.each(boardKernels.map((kernel) => [kernel.topic, kernel] as const))(
  "%s",
  (_topic, kernel) => {
    const lines = runOnBoard(kernel);

    test.each(kernel.cases.map((each, index) => [each.name, each, index] as const))(
      "%s",
      (_name, { expected, reference }, index) => {
        expect(lines[index], reference).toBe(expected);
      },
    );

    test("prints a line for each case, and ends", () => {
      expect(lines).toHaveLength(kernel.cases.length);
    });
  },
);
