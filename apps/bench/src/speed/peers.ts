/**
 * The peers, measured here and now where they are installed: the same program with the same kernel.
 *
 * A peer has no marks, so it runs twice with different numbers of rounds, and the difference is what counts.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kernelImage, programInitrd, userProgram } from "@ringside/guest";
import { bootDisk } from "./boot-disk.ts";
import type { Speed } from "./ours.ts";
import { timed, type PeerRun } from "./peer-run.ts";

const PROGRAM = "/bin/bench";
const MEMORY_MIB = 128;
/** Rounds of the short run; the program does each number of rounds twice. */
const SHORT_ROUNDS = 50;
const RUNS = 3;

/** Another way to run x86-64 code on this machine. */
interface Peer {
  readonly name: string;
  readonly note: string;
  /** Rounds of the long run: seconds of work. */
  readonly longRounds: number;
  /** A run of so many rounds; files are written into `folder`. */
  readonly prepare: (folder: string, rounds: number) => Promise<PeerRun>;
}

/** In the order in which they are measured. */
export const peers: readonly Peer[] = [
  {
    name: "QEMU system (TCG)",
    note: "our guest kernel, -accel tcg",
    longRounds: 2050,
    async prepare(folder, rounds) {
      const kernel = join(folder, "kernel.elf");
      const initrd = join(folder, `initrd-${rounds}.cpio`);
      await writeFile(kernel, kernelImage());
      await writeFile(initrd, initrdOf(rounds));
      const machine = [
        "-accel",
        "tcg",
        "-cpu",
        "qemu64",
        "-m",
        String(MEMORY_MIB),
        "-display",
        "none",
        "-serial",
        "null",
        "-no-reboot",
      ];
      const exitPort = ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"];
      return {
        command: "qemu-system-x86_64",
        args: [...machine, ...exitPort, "-kernel", kernel, "-initrd", initrd],
        end: { status: 1 }, // isa-debug-exit: value 0 becomes 0 * 2 + 1.
      };
    },
  },
  {
    name: "QEMU user (TCG)",
    note: "the program alone, no machine",
    longRounds: 2050,
    async prepare(folder, rounds) {
      const program = join(folder, "bench");
      await writeFile(program, userProgram("bin/bench"), { mode: 0o755 });
      return {
        command: "qemu-x86_64",
        args: [program, "integer-mix", String(rounds)],
        end: { status: 0 },
      };
    },
  },
  {
    name: "Bochs",
    note: "our guest kernel, as the package configures it",
    longRounds: 550,
    async prepare(folder, rounds) {
      const disk = join(folder, `disk-${rounds}.img`);
      const configuration = join(folder, `bochsrc-${rounds}`);
      const console = join(folder, `console-${rounds}`);
      const { bytes, cylinders } = bootDisk(
        { kernel: kernelImage(), commandLine: "", initrd: initrdOf(rounds) },
        MEMORY_MIB << 20,
      );
      await writeFile(disk, bytes);
      await writeFile(
        configuration,
        bochsConfiguration(disk, cylinders, console, join(folder, "bochs.log")),
      );
      return {
        command: "bochs",
        args: ["-q", "-f", configuration],
        env: { TERM: "vt100" }, // It draws its screen on a terminal of its own.
        input: "c\n", // A Bochs with a debugger waits for "continue", others do not look.
        end: { console }, // It has no exit port.
        stale: [`${disk}.lock`, console],
      };
    },
  },
];

function initrdOf(rounds: number): Uint8Array {
  const files = [{ path: PROGRAM, mode: 0o755, data: userProgram("bin/bench") }];
  return programInitrd({ argv: [PROGRAM, "integer-mix", String(rounds)], env: [], files });
}

/** `sync=none`: guest time follows instructions, not the host's clock, so that waiting in the BIOS costs nothing. */
function bochsConfiguration(disk: string, cylinders: number, console: string, log: string): string {
  return [
    "display_library: term",
    `megs: ${MEMORY_MIB}`,
    "cpu: count=1, ips=200000000, reset_on_triple_fault=0",
    "clock: sync=none",
    "ata0: enabled=1",
    `ata0-master: type=disk, path="${disk}", mode=flat, cylinders=${cylinders}, heads=16, spt=63`,
    "boot: disk",
    `com1: enabled=1, mode=file, dev="${console}"`,
    `log: "${log}"`,
    "panic: action=fatal",
    "",
  ].join("\n");
}

/**
 * Measures each peer that is installed; the others say that they are not.
 *
 * @throws The signal's reason, when it is aborted.
 */
export async function measurePeers(
  instructionsPerRound: number,
  onStart: (text: string) => void,
  signal: AbortSignal,
): Promise<readonly Speed[]> {
  const folder = await mkdtemp(join(tmpdir(), "ringside-bench-"));
  const speeds: Speed[] = [];
  try {
    for (const peer of peers) {
      onStart(`integer-mix on ${peer.name}`);
      speeds.push(await measurePeer(peer, folder, instructionsPerRound, signal));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return speeds;
}

async function measurePeer(
  peer: Peer,
  folder: string,
  instructionsPerRound: number,
  signal: AbortSignal,
): Promise<Speed> {
  const { name, note, longRounds } = peer;
  const short = await peer.prepare(folder, SHORT_ROUNDS);
  const long = await peer.prepare(folder, longRounds);
  let bestShortMs = Number.POSITIVE_INFINITY;
  let bestLongMs = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    const [shortMs, longMs] = [await timed(short, signal), await timed(long, signal)];
    if (typeof shortMs === "string") return { name, mips: undefined, note: shortMs };
    if (typeof longMs === "string") return { name, mips: undefined, note: longMs };
    bestShortMs = Math.min(bestShortMs, shortMs);
    bestLongMs = Math.min(bestLongMs, longMs);
  }
  if (bestLongMs <= bestShortMs)
    return { name, mips: undefined, note: "not measured: this machine is too busy" };
  // The program does the rounds twice: a cold and a warm part.
  const instructions = instructionsPerRound * (longRounds - SHORT_ROUNDS) * 2;
  return { name, mips: instructions / (bestLongMs - bestShortMs) / 1000, note };
}
