import { describe, expect, test } from "vitest";
import { defaultProfile } from "../profile/profile.ts";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, KernelBench, type Outcome } from "../testing/kernel-bench.ts";

const FSGSBASE = 0x1_0000n;
const profile = {
  ...defaultProfile,
  id: "with-fsgsbase",
  features: new Set([...defaultProfile.features, "fsgsbase"]),
};

function run(text: string, cr4: bigint): KernelBench & { outcome: Outcome } {
  const bench = new KernelBench({ profile });
  bench.load(ADDRESS.code, text);
  bench.enter({ cpl: 3 });
  bench.state.setControl("cr4", bench.state.cr4 | cr4);
  return Object.assign(bench, { outcome: bench.go() });
}

// Intel SDM Vol. 2B, "RDFSBASE/RDGSBASE—Read FS/GS Segment Base"; Vol. 2D, "WRFSBASE/WRGSBASE—Write FS/GS Segment Base".
describe("RDFSBASE, RDGSBASE, WRFSBASE and WRGSBASE", () => {
  coversEncodings("rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase");

  test("move 64 or 32 bits at CPL 3, and addresses follow", () => {
    const text = `mov rax, 0xffff800012345678\nwrfsbase rax\nrdfsbase rbx\nrdfsbase ecx\nwrfsbase eax\nrdfsbase rsi\nmov eax, ${ADDRESS.data}\nwrgsbase rax\nrdgsbase rdi\nmov dword ptr gs:[4], 7\nwrgsbase eax\nrdgsbase edx\nint 0x80`;
    const { state, memory, outcome } = run(text, FSGSBASE);
    expect(arrived(outcome).vector).toBe(0x80);
    expect([state.rbx, state.rcx, state.rsi]).toEqual([
      0xffff_8000_1234_5678n,
      0x1234_5678n,
      0x1234_5678n,
    ]);
    expect([state.rdi, state.rdx]).toEqual([BigInt(ADDRESS.data), BigInt(ADDRESS.data)]);
    expect(memory.physical.readU32(ADDRESS.data + 4)).toBe(7);
  });

  test("raise #UD without CR4.FSGSBASE, and #GP(0) for a base that is not canonical", () => {
    for (const text of ["rdfsbase rax", "rdgsbase rax", "wrfsbase rax", "wrgsbase rax"]) {
      expect(arrived(run(text, 0n).outcome).vector).toBe(6);
    }
    for (const text of ["wrfsbase rax", "wrgsbase rax"]) {
      const { outcome } = run(`mov rax, 0x800000000000\n${text}`, FSGSBASE);
      expect(arrived(outcome)).toMatchObject({ vector: 13, frame: { errorCode: 0 } });
    }
  });
});
