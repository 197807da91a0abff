import { describe, expect, test } from "vitest";
import { kernels } from "./index.ts";
import { runKernel } from "./rom.ts";

describe.each(kernels.map((kernel) => [kernel.topic, kernel] as const))("%s", (_topic, kernel) => {
  const lines = runKernel(kernel);

  test.each(kernel.cases.map((each, index) => [each.name, each, index] as const))(
    "%s",
    (_name, { expected, reference }, index) => {
      expect(lines[index], reference).toBe(expected);
    },
  );

  test("prints a line for each case, and ends", () => {
    expect(lines).toHaveLength(kernel.cases.length);
  });
});
