/** What `ringside trap-and-emulate` does. */
import { readFile } from "node:fs/promises";
import { kernelImage, nanoImage, selftestImage } from "@ringside/guest";
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
  process.stdout.write(
    `\n${bold(String(silent.length))} sensitive instructions did not trap, ${wrong.length} of them did something else than in ring 0.\n` +
      `By trap-and-emulate the guest ${ending(report.exit)}${closed(report)}.\n` +
      `On the bare machine it ${ending(onBare(guest, options.limit))}.\n`,
  );
}

function onBare(guest: KernelGuest, limitUnits: number): Exit {
  const host = Host.create({ memoryBytes: guest.memoryBytes });
  using machine = bare.create(host, guest);
  machine.input.end();
  return machine.run(limitUnits);
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
  return {
    kind: "kernel",
    format: "elf64",
    image: await readKernel(kernel),
    commandLine,
    memoryBytes: GUEST_BYTES,
  };
}

async function readKernel(kernel: string): Promise<Uint8Array> {
  if (kernel === "kernel") return kernelImage();
  if (kernel === "nano") return nanoImage();
  if (kernel === "selftest") return selftestImage();
  try {
    return await readFile(kernel);
  } catch (error) {
    throw unreadable(kernel, error);
  }
}
