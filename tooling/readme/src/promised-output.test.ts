import { describe, expect, test } from "vitest";
import { brokenPromise, promisedOutput } from "./promised-output.ts";

describe("promised output", () => {
  test("is what follows the arrows of comments", () => {
    expect(promisedOutput("log(a); // => 1\nlog(b);\nlog(c); // => { d: 2 }\n")).toEqual([
      "1",
      "{ d: 2 }",
    ]);
  });

  test("is kept by output that has it in order", () => {
    expect(brokenPromise(["1", "2"], "0\n1\n2\n")).toBeUndefined();
  });

  test("is broken by output in another order", () => {
    expect(brokenPromise(["2", "1"], "1\n2\n")).toBe("1");
  });
});
