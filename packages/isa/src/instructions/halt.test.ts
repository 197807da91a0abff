import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, halted, KernelBench } from "../testing/kernel-bench.ts";

// Intel SDM Vol. 2A, "HLT—Halt".
describe("HLT", () => {
  coversEncodings("hlt");

  test("stops after itself, and again without an event", () => {
    const bench = new KernelBench();
    halted(bench.run("nop\nhlt\nnop"));
    expect(bench.state.rip).toBe(BigInt(ADDRESS.code + 2));
    const { units } = bench.processor;
    expect(bench.processor.run(100)).toEqual({ reason: "halted" });
    expect(bench.processor.units).toBe(units);
  });

  test("with IF = 0 sleeps through an interrupt and wakes for an NMI", () => {
    const bench = new KernelBench();
    halted(bench.run("hlt\nnop"));
    bench.processor.setInterruptRequest(true);
    expect(bench.processor.run(100)).toEqual({ reason: "halted" });
    bench.processor.requestNmi();
    expect(arrived(bench.go())).toMatchObject({
      vector: 2,
      frame: { rip: BigInt(ADDRESS.code + 1) },
    });
  });

  test("raises #GP(0) outside CPL 0", () => {
    const bench = new KernelBench();
    for (const cpl of [1, 3] as const) {
      expect(arrived(bench.run("hlt", { cpl }))).toMatchObject({
        vector: 13,
        frame: { errorCode: 0 },
      });
    }
  });
});
