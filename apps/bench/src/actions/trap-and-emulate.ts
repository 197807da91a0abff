/** What `ringside trap-and-emulate` does. */
import { readFile } from "node:fs/promises";
import { nanoImage, programKernel, selftestImage, userProgram } from "@ringside/guest";
import { ImageError } from "@ringside/machine";
import { Host, type Exit, type KernelGuest } from "@ringside/strategy";
import { bare } from "@ringside/strategy-bare";
import {
  demonstrationKernel,
  hostBytesFor,
  runTrapAndEmulate,
  type SilentInstruction,
  type TrapAndEmulateReport,
} from "@ringside/strategy-binary-translation";
import type { TrapAndEmulateOptions } from "../commands/trap-and-emulate.ts";
import { CommandError, unreadable } from "../failure.ts";
import { fitted, textTable } from "../reporters/text-table.ts";
import { colours, columnsOf } from "../terminal.ts";

const GUEST_BYTES = 64 << 20;
/** What the guest kernel of this repository is given to do: without a program it ends before it has done anything. */
const PROGRAM = ["/bench", "fork-wait", "2"] as const;
/** Lines of the guest's log that only deprivileging made it write. */
const LINES_SHOWN = 3;

/** Runs the kernel and prints what it could not know. */
export async function reportTrapAndEmulate(
  kernel: string | undefined,
  options: TrapAndEmulateOptions,
): Promise<void> {
  const guest =
    kernel === undefined ? demonstrationKernel() : await kernelGuest(kernel, options.commandLine);
  const { red, bold, dim } = colours(process.stdout);
  let report: TrapAndEmulateReport;
  try {
    const host = Host.create({ memoryBytes: hostBytesFor(guest.memoryBytes) });
    report = runTrapAndEmulate(host, guest, options.limit);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new CommandError(
      `${kernel ?? "The kernel"}: ${error.message.replace(/^\[[^\]]*\] /u, "")}`,
      undefined,
      { cause: error },
    );
  }
  const { silent } = report;
  const wrong = silent.filter((each) => each.wrong > 0);
  const row = (each: SilentInstruction): string[] => [
    `0x${each.rip.toString(16)}`,
    each.wrong > 0 ? red(each.mnemonic) : each.mnemonic,
    String(each.times),
    String(each.wrong),
    each.difference ?? dim("as in ring 0"),
    each.why,
  ];
  const head = ["at", "instruction", "times", "wrong", "what it did", "why"];
  const rows = fitted(head, silent.map(row), [4, 5], columnsOf(process.stdout));
  process.stdout.write(
    silent.length === 0
      ? "No sensitive instruction was executed silently.\n"
      : `${textTable(head, rows)}\n`,
  );
  const native = onBare(guest, options.limit);
  const words = linesOnlyIn(report.log, native.log).slice(0, LINES_SHOWN);
  process.stdout.write(
    `\n${bold(String(silent.length))} sensitive instructions did not trap, ${wrong.length} of them did something else than in ring 0.\n` +
      `By trap-and-emulate the guest ${ending(report.exit)}${closed(report)}.\n` +
      words.map((line) => `  it wrote: ${line}\n`).join("") +
      `On the bare machine it ${ending(native.exit)}.\n`,
  );
}

function onBare(
  guest: KernelGuest,
  limitUnits: number,
): { readonly exit: Exit; readonly log: string } {
  const host = Host.create({ memoryBytes: guest.memoryBytes });
  const decoder = new TextDecoder();
  let log = "";
  const onText = (bytes: Uint8Array): void => {
    log += decoder.decode(bytes, { stream: true });
  };
  using machine = bare.create(host, guest, { output: { log: onText } });
  machine.input.end();
  return { exit: machine.run(limitUnits), log };
}

/** What deprivileging alone made the guest write. */
function linesOnlyIn(log: string, other: string): readonly string[] {
  const others = new Set(other.split("\n"));
  return log.split("\n").filter((line) => line.trim() !== "" && !others.has(line));
}

function closed({ exit, registers }: TrapAndEmulateReport): string {
  const flags = registers["rflags"];
  const isClosed = exit.reason === "halted" && flags !== undefined && (flags & 0x200n) === 0n;
  return isClosed ? ": it sleeps with interrupts closed, and nothing wakes it" : "";
}

function ending(exit: TrapAndEmulateReport["exit"] | Exit): string {
  switch (exit.reason) {
    case "powered-off":
      return `powered off with ${exit.value ?? "no value"}`;
    case "halted":
      return "value" in exit && exit.value !== undefined
        ? `powered off with ${exit.value}`
        : "halted for good";
    case "crashed":
      return `crashed (${exit.why.replace(/\.$/u, "")})`;
    case "limit":
      return "was still running when its limit was spent";
    default:
      return `ended: ${exit.reason}`;
  }
}

async function kernelGuest(kernel: string, commandLine: string): Promise<KernelGuest> {
  const memoryBytes = GUEST_BYTES;
  if (kernel !== "kernel") {
    const image = await readKernel(kernel);
    return { kind: "kernel", format: "elf64", image, commandLine, memoryBytes };
  }
  const files = new Map([[PROGRAM[0], { bytes: userProgram("bin/bench"), mode: 0o755 }]]);
  const carrying = programKernel({ argv: PROGRAM, env: [], files });
  return { kind: "kernel", ...carrying, commandLine, memoryBytes };
}

async function readKernel(kernel: string): Promise<Uint8Array> {
  if (kernel === "nano") return nanoImage();
  if (kernel === "selftest") return selftestImage();
  try {
    return await readFile(kernel);
  } catch (error) {
    throw unreadable(kernel, error);
  }
}
