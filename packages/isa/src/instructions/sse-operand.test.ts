import { describe, expect, test } from "vitest";
import { slots } from "../state/layout.ts";
import { arrived, halted, KernelBench } from "../testing/kernel-bench.ts";

/** Code that changes a control bit. */
const SETUP = {
  "CR0.TS set": "mov rax, cr0\nor rax, 8\nmov cr0, rax\n",
  "CR0.EM set": "mov rax, cr0\nor rax, 4\nmov cr0, rax\n",
  "CR4.OSFXSR clear": "mov rax, cr4\nand rax, -513\nmov cr4, rax\n",
  "CR4.OSXMMEXCPT clear": "mov rax, cr4\nand rax, -1025\nmov cr4, rax\n",
} as const;

const INVALID_OPCODE = 6;
const NOT_AVAILABLE = 7;
const GENERAL_PROTECTION = 13;
const X87_ERROR = 16;
const SIMD_ERROR = 19;

// Intel SDM Vol. 3A §14.1.4, "Initialization of the SSE Extensions".
describe("Vector instructions need the operating system's consent:", () => {
  test.each([
    ["movaps xmm0, xmm1", "CR0.TS set", NOT_AVAILABLE],
    ["addsd xmm0, xmm1", "CR0.TS set", NOT_AVAILABLE],
    ["pxor xmm0, xmm1", "CR0.EM set", INVALID_OPCODE],
    ["pxor xmm0, xmm1", "CR4.OSFXSR clear", INVALID_OPCODE],
    ["ldmxcsr [0x80000]", "CR4.OSFXSR clear", INVALID_OPCODE],
    ["paddb mm0, mm1", "CR0.TS set", NOT_AVAILABLE],
    ["paddb mm0, mm1", "CR0.EM set", INVALID_OPCODE],
    ["fld1", "CR0.TS set", NOT_AVAILABLE],
    ["fninit", "CR0.EM set", NOT_AVAILABLE],
    ["fxsave [0x80000]", "CR0.TS set", NOT_AVAILABLE],
  ] as const)("%s with %s", (instruction, setup, vector) => {
    expect(arrived(new KernelBench().run(`${SETUP[setup]}${instruction}\nhlt`)).vector).toBe(
      vector,
    );
  });

  test.each(["sfence", "prefetcht0 [0x80000]", "movnti [0x80000], eax", "fnop"])(
    "%s is not asked about OSFXSR",
    (instruction) => {
      const outcome = new KernelBench().run(`${SETUP["CR4.OSFXSR clear"]}${instruction}\nhlt`);
      expect(outcome.kind).toBe("halted");
    },
  );
});

// Intel SDM Vol. 2A §2.4, "AVX and SSE Instruction Exception Classification".
describe("A 128-bit memory operand", () => {
  test.each(["movaps xmm0, [0x80008]", "movdqa [0x80001], xmm0", "addps xmm0, [0x80004]"])(
    "must be aligned in %s",
    (instruction) => {
      const { vector, frame } = arrived(new KernelBench().run(`${instruction}\nhlt`));
      expect([vector, frame.errorCode]).toEqual([GENERAL_PROTECTION, 0]);
    },
  );

  test.each(["movups xmm0, [0x80008]", "movdqu [0x80001], xmm0", "movsd xmm0, [0x80003]"])(
    "need not be in %s",
    (instruction) => {
      expect(new KernelBench().run(`${instruction}\nhlt`).kind).toBe("halted");
    },
  );
});

// Intel SDM Vol. 1 §11.5.3, "Masked and Unmasked SIMD Floating-Point Exceptions".
describe("A SIMD exception that is not masked", () => {
  const unmaskDivideByZero = "mov dword ptr [0x80000], 0x1d80\nldmxcsr [0x80000]\n";
  const divide = "mov eax, 1\ncvtsi2sd xmm0, eax\npxor xmm1, xmm1\ndivsd xmm0, xmm1\nhlt";

  test("raises #XM, sets its flag and leaves the destination", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run(unmaskDivideByZero + divide)).vector).toBe(SIMD_ERROR);
    const low = new DataView(bench.state.xmm(0).slice().buffer).getFloat64(0, true);
    expect(low).toBe(1);
    expect(bench.state.get(slots.mxcsr)).toBe(0x1d84n);
  });

  test("raises #UD while CR4.OSXMMEXCPT is clear", () => {
    const bench = new KernelBench();
    const { vector } = arrived(
      bench.run(SETUP["CR4.OSXMMEXCPT clear"] + unmaskDivideByZero + divide),
    );
    expect(vector).toBe(INVALID_OPCODE);
  });
});

// Intel SDM Vol. 1 §8.7, "Handling x87 FPU Exceptions in Software".
describe("An x87 exception that is not masked", () => {
  const unmasked = "fninit\nmov dword ptr [0x80000], 0x37b\nfldcw [0x80000]\n";
  const divideByZero = "fld1\nfldz\nfdivp st(1), st(0)\n";

  test.each(["fld1", "fwait", "fldcw [0x80000]", "paddb mm0, mm1"])(
    "raises #MF at the next %s",
    (instruction) => {
      const bench = new KernelBench();
      const outcome = bench.run(`${unmasked}${divideByZero}mov ecx, 1\n${instruction}\nhlt`);
      expect(arrived(outcome).vector).toBe(X87_ERROR);
      expect(bench.state.rcx).toBe(1n);
    },
  );

  test("lets control instructions that do not wait look at it, and clear it", () => {
    const bench = new KernelBench();
    halted(bench.run(`${unmasked}${divideByZero}fnstsw ax\nfnclex\nfld1\nhlt`));
    // ES, B and ZE; two registers are in use, so TOP is 6.
    expect(bench.state.rax & 0xffffn).toBe(0xb084n);
  });
});
