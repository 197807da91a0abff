import { expect, test } from "vitest";
import { exceptionOf } from "./exception.ts";

test.each([
  ["the step's own trap", 5, 2, false, undefined],
  ["an undefined opcode", 4, 2, false, { vector: 6, linear: undefined }],
  ["a page fault, with its address", 11, 1, false, { vector: 14, linear: 0x1234n }],
  ["a general fault", 11, 128, false, { vector: 13, linear: undefined }],
  ["a stack fault", 7, 128, false, { vector: 12, linear: undefined }],
  ["an alignment check", 7, 1, false, { vector: 17, linear: undefined }],
  ["a division", 8, 1, false, { vector: 0, linear: undefined }],
  ["an SSE exception", 8, 3, false, { vector: 19, linear: undefined }],
  ["an x87 exception", 8, 3, true, { vector: 16, linear: undefined }],
] as const)("recognizes %s by its signal", (_, signal, code, isX87, expected) => {
  expect(exceptionOf(signal, code, 0x1234n, isX87)).toEqual(expected);
});

test("refuses a signal that no instruction gives", () => {
  expect(() => exceptionOf(15, 0, 0n, false)).toThrow("Signal 15");
});
