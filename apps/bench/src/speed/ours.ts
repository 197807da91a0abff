/** Our own speed: integer-mix, user code on the processor, between its marks. */
import { setImmediate as turn } from "node:timers/promises";
import { userProgram } from "@ringside/guest";
import { Host, type Counts } from "@ringside/strategy";
import { container } from "@ringside/strategy-container";
import { CommandError } from "../failure.ts";
import { hostBytesFor } from "../host-size.ts";

/** A speed beside its peers. */
export interface Speed {
  readonly name: string;
  /** Million guest instructions a second; undefined when it could not be measured. */
  readonly mips: number | undefined;
  /** How it was measured, or why not. */
  readonly note: string;
}

export interface OurSpeed {
  readonly speed: Speed;
  /** From creating the machine to the first slice at nine tenths of full speed. */
  readonly warmUpMs: number;
  readonly peakMemoryBytes: number;
  /** Guest instructions of one round of integer-mix: what peers execute too. */
  readonly instructionsPerRound: number;
}

const ROUNDS = 4000;
const RUNS = 5;
const SLICE_UNITS = 2_000_000;
const NEARLY_FULL = 0.9;
const MEMORY_BYTES = 64 << 20;
const PROGRAM = "/bin/bench";

interface Sample {
  readonly units: number;
  readonly wallMs: number;
}

/**
 * Runs the benchmark several times and takes the best.
 *
 * @param signal Looked at between two runs.
 * @throws The signal's reason, when it is aborted.
 */
export async function measureOurs(signal: AbortSignal): Promise<OurSpeed> {
  let mips = 0;
  let warmUpMs = 0;
  let instructionsPerRound = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const { begin, end, instructions, samples, startMs } = runOnce();
    mips = Math.max(mips, instructions / (end - begin) / 1000);
    instructionsPerRound = instructions / ROUNDS;
    if (run === 0) warmUpMs = timeToFullSpeed(samples, startMs);
    await turn();
    signal.throwIfAborted();
  }
  return {
    speed: {
      name: "ringside (interpreter)",
      mips,
      note: `container, user code; best of ${RUNS} runs of ${ROUNDS} rounds`,
    },
    warmUpMs,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    instructionsPerRound,
  };
}

function runOnce(): {
  begin: number;
  end: number;
  instructions: number;
  samples: readonly Sample[];
  startMs: number;
} {
  const startMs = performance.now();
  const guest = {
    kind: "program",
    argv: [PROGRAM, "integer-mix", String(ROUNDS)],
    env: [],
    files: new Map([[PROGRAM, { bytes: userProgram("bin/bench"), mode: 0o755 }]]),
    memoryBytes: MEMORY_BYTES,
  } as const;
  const marks = new Map<number, { counts: Counts; at: number }>();
  using machine = container.create(Host.create({ memoryBytes: hostBytesFor(guest) }), guest, {
    trace: {
      mark: ({ id }) => void marks.set(id, { counts: machine.counts(), at: performance.now() }),
    },
  });
  machine.input.end();
  const samples: Sample[] = [];
  for (;;) {
    const exit = machine.run(SLICE_UNITS);
    samples.push({ units: machine.units, wallMs: performance.now() });
    if (exit.reason === "limit") continue;
    if (exit.reason !== "exited" || exit.status.kind !== "code" || exit.status.code !== 0) {
      throw new CommandError(`integer-mix ended with "${exit.reason}" instead of status 0.`);
    }
    break;
  }
  const begin = marks.get(2);
  const end = marks.get(3);
  if (begin === undefined || end === undefined)
    throw new CommandError("integer-mix did not execute its marks.");
  return {
    begin: begin.at,
    end: end.at,
    instructions: end.counts.instructions - begin.counts.instructions,
    samples,
    startMs,
  };
}

function timeToFullSpeed(samples: readonly Sample[], startMs: number): number {
  const speeds = samples.slice(1).map((sample, index) => {
    const before = samples[index];
    return {
      at: sample.wallMs,
      speed:
        before === undefined ? 0 : (sample.units - before.units) / (sample.wallMs - before.wallMs),
    };
  });
  const sorted = speeds.map(({ speed }) => speed).toSorted((a, b) => b - a);
  const full = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const first = speeds.find(({ speed }) => speed >= full * NEARLY_FULL);
  return (first?.at ?? startMs) - startMs;
}
