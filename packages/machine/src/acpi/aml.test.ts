/** ACPI 6.5, chapter 20, "ACPI Machine Language (AML) Specification"; iasl disassembles the whole table to what was meant. */
import { expect, test } from "vitest";
import { eisaId, integer, irq, name, namePath, packageOf, scope } from "./aml.ts";

const hex = (bytes: readonly number[]): string =>
  bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

test.each([
  ["a name of one segment", namePath("_S5"), "5f 53 35 5f"],
  ["a path from the root", namePath("\\_SB.PCI0"), "5c 2e 5f 53 42 5f 50 43 49 30"],
  ["a path of three", namePath("A.B.C"), "2f 03 41 5f 5f 5f 42 5f 5f 5f 43 5f 5f 5f"],
  ["zero", integer(0), "00"],
  ["one", integer(1), "01"],
  ["a byte", integer(0xff), "0a ff"],
  ["a word", integer(0x100), "0b 00 01"],
  ["a double word", integer(0x1_0000), "0c 00 00 01 00"],
  ["a quad word", integer(2 ** 32), "0e 00 00 00 00 01 00 00 00"],
  ["an EISA id", eisaId("PNP0A03"), "0c 41 d0 0a 03"],
  ["a name with a value", name("X", integer(2)), "08 58 5f 5f 5f 0a 02"],
  ["a package", packageOf(integer(1), integer(0)), "12 04 02 01 00"],
  ["an interrupt", irq(4), "22 10 00"],
])("encodes %s", (_, encoded, expected) => {
  expect(hex(encoded)).toBe(expected);
});

test.each([
  [58, "10 3f"],
  [59, "10 41 04"],
  [4000, "10 46 fa"],
])("counts the bytes of its own length, with %i bytes inside", (content, expected) => {
  const inside = Array.from({ length: content }, () => 0xa3);
  expect(hex(scope("S", inside)).startsWith(`${expected} 53 5f 5f 5f`)).toBe(true);
});
