/** Measuring, with real machines and with strategies that go wrong. */
import { tinyProgram } from "@ringside/conformance";
import {
  pentium4,
  StrategyError,
  type Guest,
  type Result,
  type Strategy,
} from "@ringside/strategy";
import { bare } from "@ringside/strategy-bare";
import { container } from "@ringside/strategy-container";
import { describe, expect, test } from "vitest";
import type { Benchmark } from "./benchmarks.ts";
import { compare } from "./compare.ts";
import { measure } from "./measure.ts";

const nullCall: Benchmark = {
  id: "null-call",
  group: "micro",
  operation: "getppid()",
  operations: 50,
};
const divzero: Benchmark = {
  id: "divzero",
  group: "nano",
  operation: "division by zero",
  operations: 50,
};

/** A clock that goes on by a millisecond each time it is read. */
function clock(): () => number {
  let now = 0;
  return () => (now += 1);
}

/** The container with another program in the place of the benchmark's. */
function instead(id: string, source: string): Strategy {
  return {
    ...container,
    id,
    create: (host, guest, options) =>
      container.create(
        host,
        {
          ...(guest as Extract<Guest, { kind: "program" }>),
          files: new Map([["/bin/bench", { bytes: tinyProgram(source), mode: 0o755 }]]),
        },
        options,
      ),
  };
}

const write = (text: string): string =>
  `mov eax, 1\nmov edi, 1\nlea rsi, [rip + text]\nmov edx, ${text.length}\nsyscall\n`;
const exit = (code: number, text: string): string =>
  `mov eax, 60\nmov edi, ${code}\nsyscall\ntext: db "${text}"`;
const mark = (id: number): string => `db 0x0f, 0x1f, 0x84, 0, ${id}, 0, 0x49, 0x52\n`;
const marks = `${mark(1)}${mark(2)}${mark(3)}`;

function withSource(source: string): Promise<Result> {
  return measure(instead("odd", source), nullCall, pentium4, clock());
}

describe("measure", () => {
  test("takes the warm part between marks 2 and 3, and the cold one between 1 and 2", async () => {
    const result = await measure(bare, divzero, pentium4, clock());
    expect(result).toMatchObject({
      status: "ok",
      checksum: expect.stringMatching(/^[0-9a-f]{16}$/u),
      operations: 50,
      wallMs: 1,
      events: { exceptions: { "0": 50 } },
      cold: { operations: 50, wallMs: 1, events: { exceptions: { "0": 50 } } },
    });
    if (result.status !== "ok") return;
    expect(result.modelledCycles).toBe(
      result.guestCycles + result.transitionCycles + result.monitorCycles,
    );
    expect(result.modelledCycles).toBeGreaterThan(0);
  });

  test("says why nothing is modelled where a strategy's own work has no price", async () => {
    expect(await measure(container, nullCall, pentium4, clock())).toMatchObject({
      status: "ok",
      modelledCycles: null,
      reason: container.traits.unmodelled,
      events: { systemCalls: { getppid: 50 } },
    });
  });

  test("does not run what the strategy does not accept", async () => {
    const refuses: Strategy = { ...container, create: () => expect.unreachable() };
    expect(await measure(refuses, divzero, pentium4, clock())).toEqual({
      benchmark: "divzero",
      strategy: "container",
      status: "not-applicable",
      reason: expect.stringMatching(/no kernel of its own/u),
    });
  });

  test.each([
    ["a status", exit(3, ""), /^The program ended with status 3\.$/u],
    [
      "a status and a last word",
      write("oh no") + exit(3, "oh no"),
      /^The program ended with status 3\. It wrote last: "oh no"\.$/u,
    ],
    ["a signal", "ud2", /^Signal 4 ended the program\./u],
    ["no checksum", marks + exit(0, ""), /^The guest printed no checksum\.$/u],
    [
      "no marks",
      write("checksum 0123456789abcdef") + exit(0, "checksum 0123456789abcdef"),
      /did not execute the marks 1, 2 and 3/u,
    ],
  ])("fails for a program that ends with %s", async (_how, source, reason) => {
    expect(await withSource(source)).toMatchObject({
      status: "failed",
      reason: expect.stringMatching(reason),
    });
  });

  test("fails when a strategy cannot make the machine, and passes other errors on", async () => {
    const throws = (error: Error): Strategy => ({
      ...bare,
      create: () => {
        throw error;
      },
    });
    const full = new StrategyError("bare", "out-of-memory", "The host is full.");
    expect(await measure(throws(full), nullCall, pentium4, clock())).toMatchObject({
      status: "failed",
      reason: full.message,
    });
    await expect(
      measure(throws(new TypeError("a bug")), nullCall, pentium4, clock()),
    ).rejects.toThrow("a bug");
  });

  test("ends when it is told to", async () => {
    const stop = new AbortController();
    const endless = measure(
      instead("odd", "again: jmp again"),
      nullCall,
      pentium4,
      clock(),
      stop.signal,
    );
    setImmediate(() => stop.abort());
    await expect(endless).rejects.toThrow(/aborted/u);
  });
});

describe("compare", () => {
  const options = { benchmarks: [nullCall], profile: pentium4, wallClock: () => 0 };

  test("gives results by benchmark, then by strategy, and describes the strategies", async () => {
    const started: string[] = [];
    const report = await compare({
      ...options,
      strategies: [bare, container],
      benchmarks: [nullCall, divzero],
      onStart: (benchmark, strategy) => void started.push(`${benchmark.id} ${strategy.id}`),
    });
    expect(report.results.map(({ benchmark, strategy }) => `${benchmark} ${strategy}`)).toEqual(
      started,
    );
    expect(report.results.map(({ status }) => status)).toEqual([
      "ok",
      "ok",
      "ok",
      "not-applicable",
    ]);
    expect(report.strategies.map(({ id }) => id)).toEqual(["bare", "container"]);
    expect(report.profile).toBe(pentium4);
  });

  test("fails a strategy whose checksum is not that of the strategies before", async () => {
    const wrong = "checksum 0123456789abcdef";
    const report = await compare({
      ...options,
      strategies: [container, instead("wrong", marks + write(wrong) + exit(0, wrong))],
    });
    expect(report.results[1]).toEqual({
      benchmark: "null-call",
      strategy: "wrong",
      status: "failed",
      reason: expect.stringMatching(
        /^Its checksum is 0123456789abcdef, and under container it is [0-9a-f]{16}\.$/u,
      ),
    });
  });

  test("does not start when it is aborted", async () => {
    const strategies = [{ ...bare, create: () => expect.unreachable() }];
    await expect(compare({ ...options, strategies, signal: AbortSignal.abort() })).rejects.toThrow(
      /aborted/u,
    );
  });
});
