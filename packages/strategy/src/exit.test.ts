import { expect, test } from "vitest";
import { programStatus, shellStatus } from "./exit.ts";

test.each([
  [0x0000, { kind: "code", code: 0 }, 0],
  [0x2a00, { kind: "code", code: 42 }, 42],
  [0xff00, { kind: "code", code: 255 }, 255],
  [0x0009, { kind: "signal", signal: 9, core: false }, 137],
  [0x008b, { kind: "signal", signal: 11, core: true }, 139],
] as const)("the wait status 0x%s of a process that ended", (word, status, shell) => {
  expect(programStatus(word)).toEqual(status);
  expect(shellStatus(programStatus(word))).toBe(shell);
});

test.each([0x137f, 0xffff, 0x10000, -1])("0x%s is no status of a process that ended", (word) => {
  expect(() => programStatus(word)).toThrow(RangeError);
});
