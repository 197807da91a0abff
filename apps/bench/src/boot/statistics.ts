/** What `--stats` prints: counted facts, and what was measured on this machine. */
import { countAt, type Counts } from "@ringside/strategy";

export interface RunFigures {
  readonly counts: Counts;
  readonly wallSeconds: number;
  /** Time that this process had the host's processors for; less than wall time on a busy host. */
  readonly processorSeconds: number;
  /** Time of the guest's clocks; undefined where the strategy keeps none. */
  readonly guestSeconds: number | undefined;
  readonly guestMemoryBytes: number;
  /** Memory of this process. */
  readonly residentBytes: number;
}

/** Several lines, each with its end. */
export function statistics(figures: RunFigures): string {
  const { counts, wallSeconds, guestSeconds } = figures;
  const mips = counts.instructions / wallSeconds / 1e6;
  const whole = (value: number): string => Math.round(value).toLocaleString("en-US");
  const group = (name: string): string => whole(countAt(counts, name));
  const mebibytes = (bytes: number): string => `${whole(bytes / 2 ** 20)} MiB`;
  const rows: (readonly [string, string])[] = [
    ["instructions", `${whole(counts.instructions)} (${ringShares(counts)})`],
    ["wall time", `${wallSeconds.toFixed(2)} s, ${mips.toFixed(1)} MIPS`],
    ["host time", `${figures.processorSeconds.toFixed(2)} s of its processors`],
  ];
  if (guestSeconds !== undefined) rows.push(["guest time", `${guestSeconds.toFixed(2)} s`]);
  rows.push(
    ["exceptions", byVector(counts, "exceptions")],
    ["interrupts", byVector(counts, "interrupts")],
    ["page walks", `${group("translation.walks")}, TLB fills ${group("translation.tlbFills")}`],
  );
  if (countAt(counts, "exits") > 0) rows.push(["VM exits", group("exits")]);
  rows.push([
    "memory",
    `${mebibytes(figures.guestMemoryBytes)} of the guest, ${mebibytes(figures.residentBytes)} of this process`,
  ]);
  return rows.map(([name, value]) => `${name.padEnd(13)} ${value}\n`).join("");
}

function ringShares({ rings, instructions }: Counts): string {
  return Object.entries(rings)
    .map(([ring, count]) => {
      const share = (countAt({ count }, "count") / Math.max(instructions, 1)) * 100;
      return `ring ${ring.replace(/^ring/u, "")} ${share.toFixed(1)} %`;
    })
    .join(", ");
}

/** The sum, and the vectors that make most of it. */
function byVector(counts: Counts, name: "exceptions" | "interrupts"): string {
  const shown = 4;
  const vectors = Object.entries(counts[name])
    .map(([vector, count]) => ({ vector, count: countAt({ count }, "count") }))
    .toSorted((a, b) => b.count - a.count);
  const sum = vectors.reduce((total, { count }) => total + count, 0);
  const parts = vectors
    .slice(0, shown)
    .map(({ vector, count }) => `vector ${vector}: ${count.toLocaleString("en-US")}`);
  return parts.length === 0
    ? "0"
    : `${sum.toLocaleString("en-US")} (${parts.join(", ")}${vectors.length > shown ? ", …" : ""})`;
}
