import { defaultProfile } from "@ringside/isa";
import { expect, test } from "vitest";
import { refuseProcessor } from "./create-exclusive.ts";

test("a processor that a strategy cannot give is refused, with what to do", () => {
  expect(() => refuseProcessor("some", { processor: defaultProfile })).toThrow(
    `[ringside/some] The processor "${defaultProfile.id}" was asked for, and its machines have the default one alone.`,
  );
});

test("no processor, or a strategy that takes it, is fine", () => {
  expect(() => refuseProcessor("some", {})).not.toThrow();
  expect(() => refuseProcessor("some", { processor: defaultProfile }, true)).not.toThrow();
});
