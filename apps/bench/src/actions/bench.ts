/** What `ringside bench` does. */
import type { BenchOptions } from "../commands/bench.ts";
import { STATUS } from "../failure.ts";
import { measureOurs, type Speed } from "../speed/ours.ts";
import { measurePeers } from "../speed/peers.ts";
import { figure } from "../comparison/figures.ts";
import { textTable } from "../reporters/text-table.ts";
import { colours, progress } from "../terminal.ts";

/** Measures, and prints a table or JSON. */
export async function bench({ json }: BenchOptions): Promise<void> {
  const stopped = new AbortController();
  const onInterrupt = (): void => stopped.abort();
  process.once("SIGINT", onInterrupt);
  const shown = progress();
  try {
    shown.update("integer-mix on the interpreter");
    const ours = await measureOurs(stopped.signal);
    const peers = await measurePeers(
      ours.instructionsPerRound,
      (text) => shown.update(text),
      stopped.signal,
    );
    shown.stop();
    const speeds = [ours.speed, ...peers];
    if (json === true) {
      process.stdout.write(
        `${JSON.stringify({ speeds, warmUpMs: ours.warmUpMs, peakMemoryBytes: ours.peakMemoryBytes }, undefined, 2)}\n`,
      );
      return;
    }
    print(speeds, ours.warmUpMs, ours.peakMemoryBytes);
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    process.exitCode = STATUS.interrupted;
  } finally {
    shown.stop();
    process.off("SIGINT", onInterrupt);
  }
}

function print(speeds: readonly Speed[], warmUpMs: number, peakMemoryBytes: number): void {
  const { bold, dim } = colours(process.stdout);
  const best = speeds[0]?.mips ?? 0;
  const rows = speeds.map(({ name, mips, note }) => [
    name,
    mips === undefined ? dim("—") : figure(mips),
    mips === undefined || best === 0 ? "" : `${(mips / best).toFixed(2)}×`,
    dim(note),
  ]);
  process.stdout.write(
    `${bold("integer-mix, million guest instructions a second, best of several runs")}\n\n`,
  );
  process.stdout.write(`${textTable(["", "MIPS", "to ours", ""], rows, new Set([1, 2]))}\n\n`);
  process.stdout.write(
    `full speed after ${figure(warmUpMs)} ms; peak memory of this process ${figure(peakMemoryBytes / 2 ** 20)} MiB\n`,
  );
}
