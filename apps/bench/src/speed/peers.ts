/**
 * The peers, measured here and now where they are installed: the same program with the same kernel.
 *
 * A peer has no marks, so it runs twice with different numbers of rounds, and the difference is what counts.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kernelImage, programInitrd, userProgram } from "@ringside/guest";
import type { Speed } from "./ours.ts";

const PROGRAM = "/bin/bench";
/** Rounds of the short and the long run; the program does each number twice. */
const SHORT_ROUNDS = 50;
const LONG_ROUNDS = 2050;
const RUNS = 3;
const TIMEOUT_MS = 120_000;

interface Peer {
  readonly name: string;
  readonly command: string;
  readonly note: string;
  /** Arguments that run `rounds`; files are written into `folder`. */
  readonly prepare: (folder: string, rounds: number) => Promise<readonly string[]>;
  /** Exit status of a run that went well. */
  readonly status: number;
}

const peers: readonly Peer[] = [
  {
    name: "QEMU system (TCG)",
    command: "qemu-system-x86_64",
    note: "our guest kernel, -accel tcg",
    status: 1, // isa-debug-exit: value 0 becomes 0 * 2 + 1.
    async prepare(folder, rounds) {
      const kernel = join(folder, "kernel.elf");
      const initrd = join(folder, `initrd-${rounds}.cpio`);
      await writeFile(kernel, kernelImage());
      const files = [{ path: PROGRAM, mode: 0o755, data: userProgram("bin/bench") }];
      await writeFile(initrd, programInitrd({ argv: [PROGRAM, "integer-mix", String(rounds)], env: [], files }));
      const machine = ["-accel", "tcg", "-cpu", "qemu64", "-m", "128", "-display", "none", "-serial", "null", "-no-reboot"];
      return [...machine, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-kernel", kernel, "-initrd", initrd];
    },
  },
  {
    name: "QEMU user (TCG)",
    command: "qemu-x86_64",
    note: "the program alone, no machine",
    status: 0,
    async prepare(folder, rounds) {
      const program = join(folder, "bench");
      await writeFile(program, userProgram("bin/bench"), { mode: 0o755 });
      return [program, "integer-mix", String(rounds)];
    },
  },
];

/** Measures each peer that is installed; the others say that they are not. */
export async function measurePeers(instructionsPerRound: number, onStart: (text: string) => void): Promise<readonly Speed[]> {
  const folder = await mkdtemp(join(tmpdir(), "ringside-bench-"));
  const speeds: Speed[] = [];
  try {
    for (const peer of peers) {
      onStart(`integer-mix on ${peer.name}`);
      // oxlint-disable-next-line no-await-in-loop -- One after another: they share the processor.
      speeds.push(await measurePeer(peer, folder, instructionsPerRound));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  speeds.push({ name: "Bochs", mips: undefined, note: "not measured: it boots from disk images only" });
  return speeds;
}

async function measurePeer(peer: Peer, folder: string, instructionsPerRound: number): Promise<Speed> {
  const { name, command, note } = peer;
  const short = await peer.prepare(folder, SHORT_ROUNDS);
  const long = await peer.prepare(folder, LONG_ROUNDS);
  let bestMs = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    // oxlint-disable-next-line no-await-in-loop -- One after another: they share the processor.
    const [shortMs, longMs] = [await timed(command, short, peer.status), await timed(command, long, peer.status)];
    if (typeof shortMs === "string") return { name, mips: undefined, note: shortMs };
    if (typeof longMs === "string") return { name, mips: undefined, note: longMs };
    bestMs = Math.min(bestMs, longMs - shortMs);
  }
  // The program does the rounds twice: a cold and a warm part.
  const instructions = instructionsPerRound * (LONG_ROUNDS - SHORT_ROUNDS) * 2;
  return { name, mips: instructions / bestMs / 1000, note };
}

/** Wall time in milliseconds, or why there is none. */
function timed(command: string, args: readonly string[], status: number): Promise<number | string> {
  return new Promise((resolve) => {
    const start = performance.now();
    const child = spawn(command, args, { stdio: "ignore", timeout: TIMEOUT_MS });
    child.on("error", (error) => resolve("code" in error && error.code === "ENOENT" ? "not installed" : error.message));
    child.on("exit", (code) => resolve(code === status ? performance.now() - start : `ended with status ${code ?? "none"}`));
  });
}
