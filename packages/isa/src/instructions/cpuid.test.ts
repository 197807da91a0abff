import { describe, expect, test } from "vitest";
import { defaultProfile, type ProcessorProfile } from "../profile/profile.ts";
import { coversEncodings } from "../testing.ts";
import { arrived, KernelBench } from "../testing/kernel-bench.ts";

/** EAX, EBX, ECX and EDX of a leaf, at CPL 3. */
function ask(
  leaf: number,
  options: { subleaf?: number; profile?: ProcessorProfile; apicBase?: bigint } = {},
): readonly number[] {
  const { subleaf = 0, profile, apicBase } = options;
  const bench = new KernelBench({
    ...(profile === undefined ? {} : { profile }),
    interrupts: { readMsr: (index) => (index === 0x1b ? apicBase : undefined) },
  });
  arrived(
    bench.run(
      `mov rax, -1\nmov rbx, rax\nmov rdx, rax\nmov eax, ${leaf}\nmov ecx, ${subleaf}\ncpuid\nint 0x80`,
      { cpl: 3 },
    ),
  );
  const { rax, rbx, rcx, rdx } = bench.state;
  return [rax, rbx, rcx, rdx].map(Number);
}

function text(words: readonly number[]): string {
  return words
    .map((word) => String.fromCharCode(...[0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff)))
    .join("");
}

// Intel SDM Vol. 2A, "CPUID—CPU Identification".
describe("CPUID", () => {
  coversEncodings("cpuid");

  test("names the vendor and the brand", () => {
    const [maximum = 0, ebx = 0, ecx = 0, edx = 0] = ask(0);
    expect(maximum).toBe(0x15);
    expect(text([ebx, edx, ecx])).toBe("GenuineIntel");
    const brand = text([0x8000_0002, 0x8000_0003, 0x8000_0004].flatMap((leaf) => ask(leaf)));
    expect(brand.replaceAll("\0", "")).toBe(defaultProfile.brand);
  });

  test("reports family 6, model 36H, stepping 1", () => {
    expect(ask(1)[0]).toBe(0x0003_0661);
  });

  test("reports the features of the profile, and nothing else", () => {
    const [, , ecx = 0, edx = 0] = ask(1);
    const has = (word: number, bit: number): boolean => ((word >>> bit) & 1) === 1;
    for (const bit of [0, 4, 5, 6, 8, 11, 13, 15, 16, 19, 23, 24, 25, 26])
      expect([bit, has(edx, bit)]).toEqual([bit, true]);
    for (const bit of [1, 7, 12, 14, 18, 21, 28])
      expect([bit, has(edx, bit)]).toEqual([bit, false]);
    // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT.
    expect(ecx).toBe((1 << 0) | (1 << 9) | (1 << 13) | (1 << 19) | (1 << 20) | (1 << 23));
    const [, , extendedEcx = 0, extendedEdx = 0] = ask(0x8000_0001);
    expect(extendedEcx).toBe(1);
    expect(extendedEdx).toBe((1 << 11) | (1 << 20) | (1 << 27) | (1 << 29));
    expect(ask(7)).toEqual([0, 0, 0, 1 << 29]);
    expect(ask(7, { subleaf: 1 })).toEqual([0, 0, 0, 0]);
  });

  test("reports a local APIC while IA32_APIC_BASE enables it", () => {
    const apic = (apicBase: bigint): number => ((ask(1, { apicBase })[3] ?? 0) >> 9) & 1;
    expect([apic(0xfee0_0900n), apic(0xfee0_0100n)]).toEqual([1, 0]);
  });

  test("a profile without a feature does not have its instructions either", () => {
    const features = new Set(
      [...defaultProfile.features].filter((feature) => feature !== "rdtscp"),
    );
    const bench = new KernelBench({ profile: { ...defaultProfile, id: "no-rdtscp", features } });
    expect(arrived(bench.run("rdtscp")).vector).toBe(6);
    expect(arrived(bench.run("mov ecx, 0xc0000103\nrdmsr")).vector).toBe(13);
  });

  test("gives the frequency of the TSC: 1 GHz", () => {
    expect(ask(0x15)).toEqual([1, 1, 1_000_000_000, 0]);
    expect((ask(0x8000_0007)[3] ?? 0) >> 8).toBe(1);
  });

  test("gives the sizes of addresses", () => {
    expect(ask(0x8000_0008)[0]).toBe((48 << 8) | 40);
  });

  test("answers leaves beyond the last like the last basic one", () => {
    expect(ask(0x16)).toEqual(ask(0x15));
    expect(ask(0x4000_0000)).toEqual(ask(0x15));
    expect(ask(0x8000_0009)).toEqual(ask(0x15));
  });
});
