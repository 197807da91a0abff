/** What `ringside lockstep` prints of a difference: the last instructions, and both states. */
import { disassemble } from "@ringside/isa";
import type { ExecutedInstruction, LockstepResult } from "./lockstep.ts";

type Different = Extract<LockstepResult, { readonly outcome: "different" }>;

/** Several lines, each with its end. */
export function differenceReport({ recent, ours, theirs, differing, compared }: Different): string {
  const names = new Set(differing.map(({ name }) => name));
  const rows = [...ours].map(([name, value]) => {
    const mark = names.has(name) ? "*" : " ";
    const other = theirs.get(name);
    return `${mark} ${name.padEnd(10)} ${hex(value).padStart(34)} ${hex(other).padStart(34)}`;
  });
  return [
    `After ${compared.toLocaleString("en-US")} instructions the two differ in ${[...names].join(", ")}.`,
    "",
    "The last instructions, and the one that made the difference:",
    ...recent.map(instructionLine),
    "",
    `  ${"register".padEnd(10)} ${"ringside".padStart(34)} ${"QEMU".padStart(34)}`,
    ...rows,
    "",
  ].join("\n");
}

function instructionLine({ rip, bytes, mode }: ExecutedInstruction): string {
  const encoded = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const [line] = disassemble(bytes, { address: rip, mode });
  return `  ${rip.toString(16).padStart(16, "0")}  ${encoded.padEnd(44)}  ${line?.text ?? "nothing is mapped here"}`;
}

function hex(value: bigint | undefined): string {
  return value === undefined ? "-" : value.toString(16);
}
