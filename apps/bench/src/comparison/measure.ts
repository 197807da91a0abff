/** Runs one benchmark under one strategy, and makes a result of it. */
import {
  countAt,
  countsBetween,
  Host,
  price,
  type CostProfile,
  type Counts,
  type Exit,
  type Measurement,
  type Result,
  type Strategy,
} from "@ringside/strategy";
import { isStrategyError } from "../failure.ts";
import { hostBytesFor } from "../host-size.ts";
import type { Benchmark } from "./benchmarks.ts";
import { guestFor } from "./guests.ts";

const MARK = { begin: 1, middle: 2, end: 3 } as const;
const LIMIT_UNITS = 5e9;
const OUTPUT_MAXIMUM_BYTES = 1 << 16;

interface Snapshot {
  readonly counts: Counts;
  readonly wallMs: number;
}

/** Where the host's wall clock is read; a parameter so that tests have their own. */
export type WallClock = () => number;

/**
 * Runs the benchmark; whatever goes wrong in the guest is a `failed` result.
 *
 * @param signal Aborting it ends the run.
 * @throws The signal's reason, when it is aborted.
 */
export async function measure(
  strategy: Strategy,
  benchmark: Benchmark,
  profile: CostProfile,
  wallClock: WallClock,
  signal?: AbortSignal,
): Promise<Result> {
  const about = { benchmark: benchmark.id, strategy: strategy.id };
  const choice = guestFor(strategy, benchmark);
  if (choice.kind === "not-applicable") {
    return { ...about, status: "not-applicable", reason: choice.reason };
  }
  const { guest } = choice;

  const output = collector();
  const marks = new Map<number, Snapshot>();
  let exit: Exit;
  try {
    const host = Host.create({ memoryBytes: hostBytesFor(guest) });
    using machine = strategy.create(host, guest, {
      output: { stdout: output.take, stderr: output.take, log: output.take },
      trace: {
        mark: ({ id }) => void marks.set(id, { counts: machine.counts(), wallMs: wallClock() }),
      },
    });
    machine.input.end();
    exit = await machine.start({
      limitUnits: LIMIT_UNITS,
      ...(signal === undefined ? {} : { signal }),
    });
    signal?.throwIfAborted();
  } catch (error) {
    if (isStrategyError(error)) return { ...about, status: "failed", reason: error.message };
    throw error;
  }

  const failure = endingProblem(exit);
  if (failure !== undefined)
    return { ...about, status: "failed", reason: `${failure} ${output.tail()}`.trim() };
  const checksum = /checksum ([0-9a-f]{16})/u.exec(output.text())?.[1];
  const [begin, middle, end] = [marks.get(MARK.begin), marks.get(MARK.middle), marks.get(MARK.end)];
  if (checksum === undefined)
    return {
      ...about,
      status: "failed",
      reason: `The guest printed no checksum. ${output.tail()}`.trim(),
    };
  if (begin === undefined || middle === undefined || end === undefined) {
    return {
      ...about,
      status: "failed",
      reason: "The guest did not execute the marks 1, 2 and 3.",
    };
  }
  const part = (from: Snapshot, to: Snapshot): Measurement =>
    measurement(
      benchmark.operations,
      countsBetween(from.counts, to.counts),
      to.wallMs - from.wallMs,
      profile,
      strategy.traits.unmodelled,
    );
  return { ...about, status: "ok", checksum, ...part(middle, end), cold: part(begin, middle) };
}

function measurement(
  operations: number,
  counts: Counts,
  wallMs: number,
  profile: CostProfile,
  unmodelled: string | undefined,
): Measurement {
  const priced = price(counts, profile, unmodelled);
  return {
    operations,
    instructions: countAt(counts, "instructions"),
    modelledCycles: priced.modelledCycles,
    guestCycles: priced.guestCycles,
    transitionCycles: priced.transitionCycles,
    monitorCycles: priced.monitorCycles,
    wallMs,
    events: counts,
    ...(priced.reason === undefined ? {} : { reason: priced.reason }),
  };
}

/** What is wrong with how the guest ended, as a sentence; undefined when it ended well. */
function endingProblem(exit: Exit): string | undefined {
  switch (exit.reason) {
    case "exited":
      if (exit.status.kind === "signal") return `Signal ${exit.status.signal} ended the program.`;
      return exit.status.code === 0
        ? undefined
        : `The program ended with status ${exit.status.code}.`;
    case "halted":
      return exit.value === 0
        ? undefined
        : `The kernel halted with ${exit.value === undefined ? "nothing to wake it" : `exit value ${exit.value}`}.`;
    case "crashed":
      return `The guest broke its machine: ${exit.why}`;
    case "limit":
      return `It did not end within ${LIMIT_UNITS} units.`;
    default:
      return `It ended with "${exit.reason}".`;
  }
}

interface Collector {
  readonly take: (bytes: Uint8Array) => void;
  readonly text: () => string;
  /** The last line, for messages. */
  readonly tail: () => string;
}

function collector(): Collector {
  let text = "";
  const decoder = new TextDecoder();
  const tail = (): string => {
    const last = text.trim().split("\n").at(-1) ?? "";
    return last === "" ? "" : `It wrote last: "${last.slice(0, 200)}".`;
  };
  return {
    take(bytes) {
      if (text.length < OUTPUT_MAXIMUM_BYTES) text += decoder.decode(bytes, { stream: true });
    },
    text: () => text,
    tail,
  };
}
