/** Popek and Goldberg's classes of the table. */
import { instructions } from "@ringside/isa";
import { expect, test } from "vitest";
import { classes } from "./classification.ts";

const all = classes(instructions);

function critical(mnemonic: string): boolean {
  return all.some((entry) => entry.mnemonic === mnemonic && entry.critical);
}

// J. Robin, C. Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine Monitor",
// USENIX Security 2000: the instructions that are sensitive and not privileged.
test.each([
  "sgdt",
  "sidt",
  "sldt",
  "smsw",
  "pushf",
  "popf",
  "lar",
  "lsl",
  "verr",
  "verw",
  "push",
  "pop",
  "call",
  "jmp",
  "int",
  "retf",
  "iret",
  "str",
  "mov",
])("%s is sensitive and does not trap", (mnemonic) => {
  expect(critical(mnemonic)).toBe(true);
});

test.each(["lgdt", "lidt", "hlt", "cli", "sti", "in", "out", "wrmsr", "invlpg", "clts", "add"])(
  "%s does not break trap-and-emulate",
  (mnemonic) => {
    expect(critical(mnemonic)).toBe(false);
  },
);

test("says why for every sensitive instruction", () => {
  expect(all.filter(({ sensitive, why }) => sensitive !== "innocuous" && why === "")).toEqual([]);
});
