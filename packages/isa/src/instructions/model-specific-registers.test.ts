import { describe, expect, test } from "vitest";
import { defaultProfile } from "../profile/profile.ts";
import { coversEncodings } from "../testing.ts";
import { arrived, halted, KernelBench } from "../testing/kernel-bench.ts";

const isGp0 = { vector: 13, frame: { errorCode: 0 } };

const write = (index: number, value: bigint): string =>
  `mov ecx, ${index}\nmov eax, ${value & 0xffff_ffffn}\nmov edx, ${value >> 32n}\nwrmsr\n`;

// Intel SDM Vol. 2B, "RDMSR—Read From Model Specific Register"; Vol. 2D, "WRMSR—Write to Model Specific Register"; Vol. 4,
// Table 2-2, "IA-32 Architectural MSRs".
describe("RDMSR and WRMSR", () => {
  coversEncodings("rdmsr", "wrmsr");

  test.each([
    ["IA32_SYSENTER_CS", 0x174, 0x10n],
    ["IA32_SYSENTER_ESP", 0x175, 0xffff_8000_1234_5678n],
    ["IA32_SYSENTER_EIP", 0x176, 0x7fff_1234_5678n],
    ["IA32_PAT", 0x277, 0x0007_0106_0007_0106n],
    ["IA32_STAR", 0xc000_0081, 0x1234_5678_9abc_def0n],
    ["IA32_LSTAR", 0xc000_0082, 0xffff_ffff_8000_0000n],
    ["IA32_CSTAR", 0xc000_0083, 0xffff_ffff_8000_0000n],
    ["IA32_FMASK", 0xc000_0084, 0x47700n],
    ["IA32_FS_BASE", 0xc000_0100, 0x7fff_0000_0000n],
    ["IA32_GS_BASE", 0xc000_0101, 0xffff_8000_0000_0000n],
    ["IA32_KERNEL_GS_BASE", 0xc000_0102, 0xffff_8000_0000_0000n],
    ["IA32_TSC_AUX", 0xc000_0103, 0x7n],
  ])("%s keeps what is written, in halves with the upper registers cleared", (_, index, value) => {
    const bench = new KernelBench();
    halted(bench.run(`${write(index, value)}mov rax, -1\nmov rdx, -1\nrdmsr\nhlt`));
    expect(bench.state.rax).toBe(value & 0xffff_ffffn);
    expect(bench.state.rdx).toBe(value >> 32n);
  });

  test.each([
    ["an MSR that does not exist", "mov ecx, 0x12345\nrdmsr"],
    ["a write to one", write(0x1_2345, 0n)],
    ["a base that is not canonical", write(0xc000_0100, 0x8000_0000_0000n)],
    ["an LSTAR that is not canonical", write(0xc000_0082, 0x8000_0000_0000n)],
    ["a reserved memory type", write(0x277, 2n)],
    ["a reserved bit of EFER", write(0xc000_0080, 0x1d01n)],
    ["a write to a read-only MSR", write(0x10a, 0n)],
    ["IA32_APIC_BASE without an APIC", "mov ecx, 0x1b\nrdmsr"],
  ])("raise #GP(0) for %s", (_, text) => {
    expect(arrived(new KernelBench().run(text))).toMatchObject(isGp0);
  });

  test("raise #GP(0) outside CPL 0", () => {
    const bench = new KernelBench();
    for (const text of ["mov ecx, 0xc0000080\nrdmsr", write(0xc000_0081, 0n)]) {
      expect(arrived(bench.run(text, { cpl: 3 }))).toMatchObject(isGp0);
      expect(arrived(bench.run(text, { cpl: 1 }))).toMatchObject(isGp0);
    }
  });

  test("a base takes effect at once", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(0x8_0008, 0x1234n);
    halted(
      bench.run(
        `${write(0xc000_0100, 0x8_0000n)}mov rbx, fs:[8]\n${write(0xc000_0101, 0x8_0008n)}mov rsi, gs:[0]\nhlt`,
      ),
    );
    expect([bench.state.rbx, bench.state.rsi]).toEqual([0x1234n, 0x1234n]);
  });

  test("EFER.LMA cannot be written", () => {
    const bench = new KernelBench();
    halted(bench.run(`${write(0xc000_0080, 0x901n)}rdmsr\nhlt`));
    expect(bench.state.rax).toBe(0xd01n);
  });

  test("the interrupt controller's registers are asked of it", () => {
    let base = 0xfee0_0900n;
    const bench = new KernelBench({
      interrupts: {
        readMsr: (index) => (index === 0x1b ? base : undefined),
        writeMsr(index, value) {
          if (index !== 0x1b || value >= 1n << 40n) return false;
          base = value;
          return true;
        },
      },
    });
    halted(bench.run(`${write(0x1b, 0xfee0_0100n)}rdmsr\nhlt`));
    expect([bench.state.rax, base]).toEqual([0xfee0_0100n, 0xfee0_0100n]);
    expect(arrived(bench.run(write(0x1b, 1n << 41n)))).toMatchObject(isGp0);
  });

  test("IA32_ARCH_CAPABILITIES says that the known vulnerabilities are absent", () => {
    const bench = new KernelBench();
    halted(bench.run("mov ecx, 0x10a\nrdmsr\nhlt"));
    // RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO and TAA_NO.
    expect(bench.state.rax & 0x179n).toBe(0x179n);
  });
});

// Intel SDM Vol. 2B, "SWAPGS—Swap GS Base Register".
describe("SWAPGS", () => {
  coversEncodings("swapgs");

  test("exchanges the bases, and memory is addressed with the new one", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(0x8_0008, 0x1234n);
    halted(
      bench.run(
        `${write(0xc000_0101, 0x5000n)}${write(0xc000_0102, 0x8_0000n)}swapgs\nmov rbx, gs:[8]\nrdmsr\nhlt`,
      ),
    );
    expect([bench.state.rbx, bench.state.rax, bench.state.gsBase]).toEqual([
      0x1234n,
      0x5000n,
      0x8_0000n,
    ]);
  });

  test("raises #GP(0) outside CPL 0, and #UD in 32-bit code", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run("swapgs", { cpl: 3 }))).toMatchObject(isGp0);
    expect(arrived(bench.run("db 0x0f, 0x01, 0xf8", { mode: 32 })).vector).toBe(6);
  });
});

// Intel SDM Vol. 2B, "RSM—Resume From System Management Mode".
describe("RSM", () => {
  coversEncodings("rsm");

  test("raises #UD outside system management mode", () => {
    expect(arrived(new KernelBench().run("rsm")).vector).toBe(6);
  });
});

// Intel SDM Vol. 3A §12.11, "Memory Type Range Registers (MTRRs)".
describe("Memory type range registers", () => {
  const profile = {
    ...defaultProfile,
    id: "with-mtrrs",
    features: new Set([...defaultProfile.features, "mtrr"]),
  };

  test.each([
    ["IA32_MTRR_DEF_TYPE", 0x2ff, 0xc06n],
    ["IA32_MTRR_PHYSBASE0", 0x200, 0x8000_0000n],
    ["IA32_MTRR_PHYSMASK7", 0x20f, 0xff_c000_0800n],
    ["MTRRfix64K_00000", 0x250, 0x0606_0606_0606_0606n],
    ["MTRRfix4K_F8000", 0x26f, 0x0505_0505_0404_0100n],
  ])("%s keeps what is written", (_, index, value) => {
    const bench = new KernelBench({ profile });
    halted(bench.run(`${write(index, value)}rdmsr\nhlt`));
    expect([bench.state.rax, bench.state.rdx]).toEqual([value & 0xffff_ffffn, value >> 32n]);
  });

  test.each([
    ["a reserved type", 0x2ff, 2n],
    ["a reserved type in a fixed range", 0x258, 0x0300n],
    ["reserved bits of a base", 0x202, 0x106n],
    ["reserved bits of a mask", 0x203, 0x801n],
    ["a base beyond the processor's addresses", 0x200, 1n << 40n],
    ["IA32_MTRRCAP, which is read-only", 0xfe, 0x508n],
  ])("raise #GP(0) for %s", (_, index, value) => {
    const bench = new KernelBench({ profile });
    expect(arrived(bench.run(write(index, value)))).toMatchObject(isGp0);
  });

  test("say how many there are", () => {
    const bench = new KernelBench({ profile });
    halted(bench.run("mov ecx, 0xfe\nrdmsr\nhlt"));
    expect(bench.state.rax).toBe(0x508n);
  });
});
