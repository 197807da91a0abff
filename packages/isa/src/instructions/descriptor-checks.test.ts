import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { arrived, KernelBench, SELECTOR } from "../testing/kernel-bench.ts";

const ZF = 0x40n;

/** Runs one instruction on a selector in BX; gives EAX (which was -1) and ZF. */
function ask(text: string, selector: number, cpl: 0 | 3 = 0): readonly [bigint, boolean] {
  const bench = new KernelBench();
  arrived(bench.run(`mov rax, -1\nmov ebx, ${selector}\n${text}\nint 0x80`, { cpl }));
  return [bench.state.rax, (bench.frame(false).rflags & ZF) !== 0n];
}

const UNCHANGED = 0xffff_ffff_ffff_ffffn;

// Intel SDM Vol. 2A, "LAR—Load Access Rights Byte".
describe("LAR", () => {
  coversEncodings("lar");

  test.each([
    ["a code segment", SELECTOR.code, 0xa0_9a00n],
    ["a data segment", SELECTOR.data, 0xc0_9200n],
    ["a TSS", SELECTOR.tss, 0x00_8900n],
    ["an LDT", SELECTOR.ldt, 0x00_8200n],
    ["a call gate", SELECTOR.callGate, 0x00_ec00n],
    ["a segment that is not present", SELECTOR.absentData, 0xc0_1200n],
  ])("gives the rights of %s", (_, selector, rights) => {
    expect(ask("lar eax, ebx", selector)).toEqual([rights, true]);
    expect(ask("lar rax, rbx", selector)).toEqual([rights, true]);
    expect(ask("lar ax, bx", selector)).toEqual([
      (UNCHANGED & ~0xffffn) | (rights & 0xff00n),
      true,
    ]);
  });

  test.each([
    ["a null selector", 0, 0],
    ["a selector beyond the GDT", 0x1f8, 0],
    ["a kernel segment at CPL 3", SELECTOR.data, 3],
    ["a kernel segment by an RPL of 3", SELECTOR.data | 3, 0],
  ] as const)("clears ZF and leaves the register for %s", (_, selector, cpl) => {
    expect(ask("lar eax, ebx", selector, cpl)).toEqual([UNCHANGED, false]);
  });

  test("shows conforming code to every level", () => {
    expect(ask("lar eax, ebx", SELECTOR.conforming, 3)).toEqual([0xa0_9e00n, true]);
  });
});

// Intel SDM Vol. 2A, "LSL—Load Segment Limit".
describe("LSL", () => {
  coversEncodings("lsl");

  test("gives the limit in bytes, granularity applied", () => {
    expect(ask("lsl eax, ebx", SELECTOR.data)).toEqual([0xffff_ffffn, true]);
    expect(ask("lsl rax, rbx", SELECTOR.tss)).toEqual([0x67n, true]);
    expect(ask("lsl ax, bx", SELECTOR.ldt)).toEqual([(UNCHANGED & ~0xffffn) | 0xffn, true]);
  });

  test("clears ZF for a call gate, which has no limit, and for what CPL hides", () => {
    expect(ask("lsl eax, ebx", SELECTOR.callGate)).toEqual([UNCHANGED, false]);
    expect(ask("lsl eax, ebx", SELECTOR.data, 3)).toEqual([UNCHANGED, false]);
    expect(ask("lsl eax, ebx", SELECTOR.userData | 3, 3)).toEqual([0xffff_ffffn, true]);
  });
});

// Intel SDM Vol. 2D, "VERR/VERW—Verify a Segment for Reading or Writing".
describe("VERR and VERW", () => {
  coversEncodings("verr", "verw");

  test.each([
    [SELECTOR.data, 0, true, true],
    [SELECTOR.readOnlyData, 0, true, false],
    [SELECTOR.executeOnly, 0, false, false],
    [SELECTOR.code, 0, true, false],
    [SELECTOR.tss, 0, false, false],
    [0, 0, false, false],
    [SELECTOR.data, 3, false, false],
    [SELECTOR.userData | 3, 3, true, true],
    [SELECTOR.conforming, 3, true, false],
  ] as const)("of selector %i at CPL %i give ZF %s and %s", (selector, cpl, readable, writable) => {
    expect(ask("verr bx", selector, cpl)).toEqual([UNCHANGED, readable]);
    expect(ask("verw bx", selector, cpl)).toEqual([UNCHANGED, writable]);
  });
});
