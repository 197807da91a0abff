/** Walks through operations of real machines. */
import { pentium4, StrategyError, type Strategy } from "@ringside/strategy";
import { bare } from "@ringside/strategy-bare";
import { container } from "@ringside/strategy-container";
import { vtxShadow } from "@ringside/strategy-vtx";
import picocolors from "picocolors";
import { describe, expect, test } from "vitest";
import { benchmarks, type Benchmark } from "../comparison/benchmarks.ts";
import { measure } from "../comparison/measure.ts";
import { explanationHeading, explanationSection } from "../reporters/explanation.ts";
import { explain } from "./explain.ts";

const colours = picocolors.createColors(false);

function benchmark(wanted: string): Benchmark {
  const found = benchmarks.find(({ id }) => id === wanted);
  if (found === undefined) throw new Error(`There is no benchmark ${wanted}.`);
  return found;
}

describe("explain", () => {
  test("tells a page fault on bare from the fault to the next one", () => {
    const pgfault = benchmark("pgfault");
    const told = explain(bare, pgfault, pentium4);
    expect(
      `${explanationHeading(pgfault, pentium4, colours)}\n\n${explanationSection(told, colours)}`,
    ).toMatchInlineSnapshot(`
      "pgfault: true page fault, one warm operation, event by event (cycles: Pentium 4 672, 3.8 GHz (2006))

      bare (Bare): 1,095 cycles
        mov al, byte ptr [rsi]
        → A page fault (#PF): the processor delivers it through the guest's own IDT.                    703
        3 instructions in ring 0                                                                          3
        iretq
        IRET: back to what was interrupted.                                                             387
        2 instructions in ring 0                                                                          2"
    `);
  });

  test("tells a store to a page table under shadow paging, and what the hypervisor does for it", () => {
    const ptemod = benchmark("ptemod");
    const told = explain(vtxShadow, ptemod, pentium4);
    const events = told.story?.flatMap((line) =>
      line.kind === "event" ? line.words.map(({ name }) => name) : [],
    );
    expect(events).toEqual([
      "VM exit for a page fault",
      "A traced write",
      "Emulated MOV",
      "VM entry",
    ]);
  });

  test.each(["pgfault", "syscall", "null-call"])(
    "tells one operation of %s, no more and no less: its cycles are those of the table",
    async (id) => {
      const told = explain(vtxShadow, benchmark(id), pentium4);
      const measured = await measure(
        vtxShadow,
        { ...benchmark(id), operations: 1000 },
        pentium4,
        () => 0,
      );
      if (measured.status !== "ok" || measured.modelledCycles === null)
        throw new Error("no cycles");
      const perOperation = measured.modelledCycles / measured.operations;
      // The table's figure holds what surrounds the loop, too.
      expect(told.cycles).toBeGreaterThan(perOperation * 0.98);
      expect(told.cycles).toBeLessThan(perOperation * 1.02);
    },
  );

  test("says why a machine cannot be made", () => {
    const full: Strategy = {
      ...bare,
      create: () => {
        throw new StrategyError("bare", "out-of-memory", "The host is full.");
      },
    };
    expect(explain(full, benchmark("in"), pentium4)).toMatchObject({
      story: undefined,
      reason: expect.stringMatching(/The host is full/u),
    });
  });

  test("says why there is nothing to tell, or no price", () => {
    expect(explain(container, benchmark("in"), pentium4)).toMatchObject({
      story: undefined,
      reason: expect.stringMatching(/no kernel of its own/u),
    });
    expect(explain(container, benchmark("null-call"), pentium4)).toMatchObject({
      cycles: undefined,
      reason: container.traits.unmodelled,
    });
  });
});
