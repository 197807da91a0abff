import { describe, expect, test } from "vitest";
import { ADDRESS, KernelBench } from "../testing/kernel-bench.ts";
import { decodeMonitorEvent } from "./monitor.ts";

function monitored(text: string, rflags = 0x202n): KernelBench {
  const bench = new KernelBench();
  bench.load(ADDRESS.code, text);
  bench.enter({ cpl: 3, rflags });
  bench.processor.delivery = "monitor";
  return bench;
}

// What software interrupts, system calls and call gates become is tested with their rows.
describe("Monitor delivery", () => {
  test.each([
    ["mov rax, [0x700000]", { kind: "exception", vector: 14, errorCode: 4, linear: 0x70_0000n }],
    ["ud2", { kind: "exception", vector: 6, errorCode: undefined, linear: 0n }],
    ["cli", { kind: "exception", vector: 13, errorCode: 0, linear: 0n }],
  ])("gives the exception of %s with RIP at the instruction and nothing pushed", (text, event) => {
    const bench = monitored(text);
    expect(bench.processor.run(100)).toEqual({ reason: "event", event });
    const { state } = bench;
    expect([state.rip, state.rsp, state.cpl]).toEqual([
      BigInt(ADDRESS.code),
      BigInt(ADDRESS.userStack),
      3,
    ]);
    expect(state.cr2).toBe(0n);
  });

  test("gives an interrupt without acknowledging it, and an NMI", () => {
    const bench = monitored("nop\nnop\nnop");
    bench.processor.run(1);
    bench.processor.setInterruptRequest(true);
    expect(bench.processor.run(100)).toEqual({ reason: "event", event: { kind: "interrupt" } });
    bench.processor.setInterruptRequest(false);
    bench.processor.requestNmi();
    expect(bench.processor.run(100)).toEqual({ reason: "event", event: { kind: "nmi" } });
    expect(bench.state.rip).toBe(BigInt(ADDRESS.code + 1));
  });

  test("counts a unit for each event, so that a fault that is never fixed takes time", () => {
    const bench = monitored("ud2");
    const { units } = bench.processor;
    bench.processor.run(100);
    bench.processor.run(100);
    expect(bench.processor.units - units).toBe(2);
    expect(bench.processor.counts()["monitor.exceptions.6"]).toBe(2);
  });

  test("does not know other codes", () => {
    expect(decodeMonitorEvent(0, 0)).toBeUndefined();
    expect(() => decodeMonitorEvent(99, 0)).toThrow(RangeError);
  });
});
