import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, halted, KernelBench, SELECTOR } from "../testing/kernel-bench.ts";

// Intel SDM Vol. 2A, "INT n/INTO/INT3/INT1—Call to Interrupt Procedure".
describe("Software interrupts", () => {
  coversEncodings("int", "int3", "int1", "into");

  test.each([
    ["int 0x80", 0x80, 2],
    ["int 0xff", 0xff, 2],
    ["int3", 3, 1],
  ] as const)(
    "%s at CPL 3 arrives at its vector with RIP of the next instruction",
    (text, vector, length) => {
      const bench = new KernelBench();
      const outcome = arrived(bench.run(text, { cpl: 3 }));
      expect(outcome.vector).toBe(vector);
      expect(outcome.frame).toMatchObject({
        rip: BigInt(ADDRESS.code + length),
        cs: SELECTOR.userCode | 3,
      });
    },
  );

  test("INT n and INT3 are checked against the gate's DPL, INT1 is not", () => {
    const bench = new KernelBench();
    bench.changeGate(3, { dpl: 0 });
    expect(arrived(bench.run("int3", { cpl: 3 }))).toMatchObject({
      vector: 13,
      frame: { errorCode: 3 * 8 + 2 },
    });
    expect(arrived(bench.run("int 13", { cpl: 3 }))).toMatchObject({
      vector: 13,
      frame: { errorCode: 13 * 8 + 2 },
    });
    expect(arrived(bench.run("int1", { cpl: 3 }))).toMatchObject({
      vector: 1,
      frame: { rip: BigInt(ADDRESS.code + 1) },
    });
  });

  test("INTO interrupts when OF is set, and goes on when it is not", () => {
    const bench = new KernelBench();
    halted(bench.run("xor eax, eax\ninto\nhlt", { mode: 32 }));
    const { vector, frame } = arrived(
      bench.run("mov eax, 0x7fffffff\ninc eax\ninto\nhlt", { mode: 32 }),
    );
    expect([vector, frame.rip]).toEqual([4, BigInt(ADDRESS.code + 7)]);
  });

  test("INTO does not exist in 64-bit code", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run("db 0xce")).vector).toBe(6);
  });

  test.each([
    ["int 0x21", { kind: "software-interrupt", vector: 0x21 }, 2],
    ["int3", { kind: "software-interrupt", vector: 3 }, 1],
    ["int1", { kind: "software-interrupt", vector: 1 }, 1],
  ])("%s is an event under monitor delivery", (text, event, length) => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, text);
    bench.enter({ cpl: 3 });
    bench.processor.delivery = "monitor";
    expect(bench.go()).toEqual({ kind: "exit", exit: { reason: "event", event } });
    expect(bench.state.rip).toBe(BigInt(ADDRESS.code + length));
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.userStack));
    expect(bench.state.cpl).toBe(3);
  });
});
