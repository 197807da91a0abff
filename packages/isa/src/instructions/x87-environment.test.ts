import { describe, expect, test } from "vitest";
import { ADDRESS, arrived, halted, KernelBench } from "../testing/kernel-bench.ts";
import { coversEncodings } from "../testing.ts";
import { slots } from "../state/layout.ts";

const IMAGE = ADDRESS.data;
const COPY = ADDRESS.data + 0x200;

/** Pushes pi, then 1: TOP is 6, R6 holds 1 and R7 pi. */
const TWO_NUMBERS = "fninit\nfldpi\nfld1";

function words(bench: KernelBench, at: number, bytes: 2 | 4): number[] {
  const { physical } = bench.memory;
  return Array.from({ length: 7 }, (_, index) =>
    bytes === 2 ? physical.readU16(at + index * 2) : physical.readU32(at + index * 4),
  );
}

const PI = [0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40];
const ONE = [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f];

// Intel SDM Vol. 1 §8.1.10, "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE".
describe("The x87 environment in memory", () => {
  coversEncodings("fnstenv", "fldenv", "fnsave", "frstor");

  test("FNSTENV stores control, status and tag word in words of 32 bits, and masks all exceptions", () => {
    const bench = new KernelBench();
    halted(
      bench.run(
        `${TWO_NUMBERS}\nmov word ptr [0x80100], 0x340\nfldcw [0x80100]\nfnstenv [0x80000]\nhlt`,
      ),
    );
    // Reserved upper halves are ones. Tags: R6 and R7 valid, the others empty.
    expect(words(bench, IMAGE, 4).slice(0, 3)).toEqual([0xffff_0340, 0xffff_3000, 0xffff_0fff]);
    expect(bench.state.get(slots.fcw)).toBe(0x37fn);
  });

  test("FNSTENV with 16-bit operand size stores seven words", () => {
    const bench = new KernelBench();
    bench.memory.physical.fill(IMAGE, 0xaa, 32);
    halted(bench.run(`${TWO_NUMBERS}\no16 fnstenv [0x80000]\nhlt`));
    expect(words(bench, IMAGE, 2).slice(0, 3)).toEqual([0x37f, 0x3000, 0x0fff]);
    expect(bench.memory.physical.readU16(IMAGE + 14)).toBe(0xaaaa);
  });

  test.each(["", "o16 ", "o64 "])(
    "%sFNSAVE stores the registers from ST(0) and initializes the x87",
    (prefix) => {
      const bench = new KernelBench();
      halted(bench.run(`${TWO_NUMBERS}\n${prefix}fnsave [0x80000]\nhlt`));
      const start = IMAGE + (prefix === "o16 " ? 14 : 28);
      expect([...bench.memory.physical.read(start, 20)]).toEqual([...ONE, ...PI]);
      expect(bench.state.get(slots.fcw)).toBe(0x37fn);
      expect(bench.state.get(slots.fsw)).toBe(0n);
      expect(bench.state.get(slots.ftw)).toBe(0xffffn);
    },
  );

  test.each(["", "o16 ", "o64 "])("%sFRSTOR brings back what FNSAVE stored", (prefix) => {
    const bench = new KernelBench();
    const text = `${TWO_NUMBERS}\n${prefix}fnsave [0x80000]\n${prefix}frstor [0x80000]\n${prefix}fnsave [0x80200]\nhlt`;
    halted(bench.run(text));
    const { physical } = bench.memory;
    const bytes = prefix === "o16 " ? 94 : 108;
    expect([...physical.read(COPY, bytes)]).toEqual([...physical.read(IMAGE, bytes)]);
  });

  test.each(["", "o16 ", "o64 "])(
    "%sFLDENV loads control, status and which registers are empty",
    (prefix) => {
      const bench = new KernelBench();
      const text = `${TWO_NUMBERS}\n${prefix}fnstenv [0x80000]\nfninit\n${prefix}fldenv [0x80000]\nfstp tbyte ptr [0x80100]\nhlt`;
      halted(bench.run(text));
      // The registers themselves were left by FNINIT: the first that is popped is 1.
      expect([...bench.memory.physical.read(0x8_0100, 10)]).toEqual(ONE);
      expect(bench.state.get(slots.fsw)).toBe(0x3800n);
      expect(bench.state.get(slots.ftw)).toBe(0x3fffn);
    },
  );

  test("FLDENV with an exception pending and unmasked makes the next instruction raise #MF", () => {
    const bench = new KernelBench();
    bench.memory.physical.write(IMAGE, new Uint8Array(28));
    bench.memory.physical.writeU16(IMAGE, 0x37b);
    bench.memory.physical.writeU16(IMAGE + 4, 0x0004);
    const outcome = arrived(
      bench.run("mov rax, cr0\nbts rax, 5\nmov cr0, rax\nfldenv [0x80000]\nfld1"),
    );
    expect(outcome.vector).toBe(16);
    expect(bench.state.get(slots.fsw) & 0x8080n).toBe(0x8080n);
  });

  test.each(["fnstenv", "fldenv", "fnsave", "frstor"])(
    "%s raises #NM while CR0.TS is set",
    (name) => {
      const text = `mov rax, cr0\nbts rax, 3\nmov cr0, rax\n${name} [0x80000]`;
      expect(arrived(new KernelBench().run(text))).toMatchObject({ vector: 7 });
    },
  );

  test("FNSAVE over a page that is not there stores nothing and keeps the registers", () => {
    const bench = new KernelBench();
    bench.setPage(0x40_1000, 0n);
    bench.memory.physical.fill(0x40_0fc0, 0xaa, 64);
    const outcome = arrived(bench.run(`${TWO_NUMBERS}\nfnsave [0x400fc0]`));
    expect(outcome).toMatchObject({ vector: 14, frame: { errorCode: 2 } });
    expect(bench.memory.physical.read(0x40_0fc0, 64)).toEqual(new Uint8Array(64).fill(0xaa));
    expect(bench.state.get(slots.fsw)).toBe(0x3000n);
  });
});
