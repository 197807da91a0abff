import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, halted, KernelBench } from "../testing/kernel-bench.ts";

const isGp0 = { vector: 13, frame: { errorCode: 0 } };

// Intel SDM Vol. 2B, "PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register Onto the Stack"; "POPF/POPFD/POPFQ—Pop Stack Into EFLAGS
// Register".
describe("PUSHF and POPF", () => {
  coversEncodings("pushf", "popf");

  /** Pops `flags` and gives RFLAGS afterwards. */
  function popped(flags: number, options: { cpl: 0 | 3; rflags: bigint }): bigint {
    const bench = new KernelBench();
    arrived(bench.run(`push ${flags}\npopfq\npushfq\npop rax\nint 0x80`, options));
    return bench.state.rax;
  }

  test("at CPL 0 set IF and IOPL, and never RF, VM, VIF and VIP", () => {
    expect(popped(0x003f_7ed7 & ~0x100, { cpl: 0, rflags: 2n })).toBe(0x24_7ed7n);
  });

  test("at CPL 3 leave IF and IOPL as they are, without a fault", () => {
    expect(popped(0x7ed7, { cpl: 3, rflags: 2n })).toBe(0x4cd7n);
    expect(popped(2, { cpl: 3, rflags: 0x202n })).toBe(0x202n);
  });

  test("at CPL 3 with IOPL 3 change IF, and leave IOPL", () => {
    expect(popped(2, { cpl: 3, rflags: 0x3202n })).toBe(0x3002n);
    expect(popped(0x202, { cpl: 3, rflags: 0x3002n })).toBe(0x3202n);
  });

  test("with an operand-size prefix move 16 bits and leave AC and ID", () => {
    const bench = new KernelBench();
    const text =
      "push 0x240002\npopfq\no16 push 0x0cd5\no16 popf\npushfq\npop rax\nmov rcx, rsp\no16 pushf\nsub rcx, rsp\nhlt";
    halted(bench.run(text));
    expect([bench.state.rax, bench.state.rcx]).toEqual([0x24_0cd7n, 2n]);
  });

  test("move 32 bits in 32-bit code", () => {
    const bench = new KernelBench();
    halted(
      bench.run("push 0x240cd5\npopfd\nmov ecx, esp\npushfd\nsub ecx, esp\npop eax\nhlt", {
        mode: 32,
      }),
    );
    expect([bench.state.rax, bench.state.rcx]).toEqual([0x24_0cd7n, 4n]);
  });
});

// Intel SDM Vol. 2A, "CLI—Clear Interrupt Flag"; Vol. 2B, "STI—Set Interrupt Flag".
describe("CLI and STI", () => {
  coversEncodings("cli", "sti");

  test("clear and set IF at CPL 0", () => {
    const bench = new KernelBench();
    halted(bench.run("sti\npushfq\npop rax\ncli\npushfq\npop rbx\nhlt"));
    expect([bench.state.rax & 0x200n, bench.state.rbx & 0x200n]).toEqual([0x200n, 0n]);
  });

  test("raise #GP(0) when CPL is above IOPL, and work when it is not", () => {
    const bench = new KernelBench();
    for (const text of ["cli", "sti"]) {
      expect(arrived(bench.run(text, { cpl: 3, rflags: 0x2002n }))).toMatchObject(isGp0);
      expect(arrived(bench.run(`${text}\nint 0x80`, { cpl: 3, rflags: 0x3002n })).vector).toBe(
        0x80,
      );
      expect(arrived(bench.run(text, { cpl: 1 }))).toMatchObject(isGp0);
    }
  });

  test("an interrupt is not taken between STI and HLT, so that it wakes the processor", () => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, "sti\nhlt\nnop\nhlt");
    bench.enter();
    bench.processor.setInterruptRequest(true);
    expect(arrived(bench.go()).frame.rip).toBe(BigInt(ADDRESS.code + 2));
  });
});
