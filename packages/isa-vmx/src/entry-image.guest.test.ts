/**
 * Each violation of a check of VM entry on two processors: ours, and Bochs 2.7's Sandy Bridge where Bochs is installed.
 *
 * The same disk boots on both. Where the answers differ, it is written down here why.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HostMemory, Processor } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { END, entryImage, ORIGIN, programOf, SERIAL } from "./testing/entry-image.ts";
import { controlViolations, guestViolations, hostViolations } from "./testing/entry-violations.ts";
import { vmxExtension } from "./vmx-extension.ts";

const VALID = "a valid VMCS";
const violations = { ...controlViolations, ...hostViolations, ...guestViolations };
const names = [VALID, ...Object.keys(violations)];

/** What came of each case: `F` with the VM-instruction error, `X` with exit reason and qualification, in hexadecimal. */
type Answers = Readonly<Record<string, string>>;

const HLT = "X c 0";
/** Where Bochs answers otherwise, and why ours is the manual's answer. */
const DIFFERENCES: Readonly<Record<string, readonly [bochs: string, why: string]>> = {
  "secondary-controls": [
    HLT,
    "The bit is of virtualized APIC accesses, which Bochs has and we have not.",
  ],
  "guest-debugctl": [HLT, "Bochs does not check IA32_DEBUGCTL."],
  "guest-rip": [
    "X 1 0",
    "Bochs does not check that RIP is canonical; the guest is interrupted before its first fetch.",
  ],
  "activity-state": [
    "X 34 0",
    "Bochs enters the shutdown state, which IA32_VMX_MISC of ours does not report; the timer ends it.",
  ],
  "injection-while-halted": [
    "X 12 0",
    "Bochs injects any event into a halted guest, which goes on to its VMCALL.",
  ],
  "interruptibility-virtual-nmi": [
    "X 12 0",
    "Bochs injects an NMI although virtual NMIs are blocked.",
  ],
  "pending-debug-single-step": [
    HLT,
    "Bochs does not compare the pending single step with RFLAGS.TF.",
  ],
};

function answersOf(text: string): Answers {
  const short = (digits: string): string => Number(`0x${digits}`).toString(16);
  const lines = text.slice(0, text.indexOf(END)).trimEnd().split("\n");
  return Object.fromEntries(
    lines.map((line) => {
      const [number = "", kind = "", ...values] = line.trim().split(" ");
      return [names[Number(`0x${number}`)] ?? line, [kind, ...values.map(short)].join(" ")];
    }),
  );
}

function ours(disk: Uint8Array): Answers {
  const memory = HostMemory.create({ physicalBytes: 8 << 20 });
  let text = "";
  const processor = new Processor({
    memory,
    ports: {
      read: () => SERIAL.free,
      write: (port, _, value) => {
        if (port === SERIAL.data) text += String.fromCodePoint(value);
      },
    },
    interrupts: {
      acknowledge: () => 0,
      readTaskPriority: () => 0,
      writeTaskPriority: () => undefined,
    },
    extensions: [vmxExtension()],
  });
  memory.physical.write(ORIGIN, programOf(disk));
  processor.state.enterProtectedMode32({ rip: ORIGIN });
  expect(processor.run(20_000_000)).toEqual({ reason: "halted" });
  return answersOf(text);
}

const MODEL = "corei7_sandy_bridge_2600k";
/** A Bochs with VMX knows the model. */
const hasBochs: boolean = ((): boolean => {
  const { stdout, stderr } = spawnSync("bochs", ["--help", "cpu"], { encoding: "utf8" });
  return `${stdout}${stderr}`.includes(MODEL);
})();
const PATIENCE_MS = 120_000;

async function onBochs(disk: Uint8Array): Promise<Answers> {
  const folder = await mkdtemp(join(tmpdir(), "ringside-vmx-"));
  const [image, serial, configuration] = ["disk.img", "serial", "bochsrc"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await writeFile(image, disk);
  await writeFile(serial, "");
  await writeFile(
    configuration,
    [
      "display_library: term",
      "megs: 32",
      `cpu: model=${MODEL}, count=1, ips=200000000, reset_on_triple_fault=0`,
      "clock: sync=none",
      "ata0: enabled=1",
      `ata0-master: type=disk, path="${image}", mode=flat, cylinders=1, heads=16, spt=63`,
      "boot: disk",
      `com1: enabled=1, mode=file, dev="${serial}"`,
      `log: "${join(folder, "log")}"`,
      "panic: action=fatal",
      "",
    ].join("\n"),
  );
  const child = spawn("bochs", ["-q", "-f", configuration], {
    // It draws its screen on a terminal of its own, and one with a debugger waits for "continue".
    env: { ...process.env, TERM: "vt100" },
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.stdin.write("c\n");
  try {
    for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += 100) {
      const text = await readFile(serial, "utf8");
      if (text.includes(END)) return answersOf(text);
      if (child.exitCode !== null) break;
      await sleep(100);
    }
    throw new Error(`Bochs did not finish: ${await readFile(serial, "utf8")}`);
  } finally {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

describe("The image of violated checks", () => {
  const disk = entryImage(violations);
  const answers = ours(disk);

  test("fails on our processor at the stage of each check, as when a monitor enters", () => {
    const expected = Object.keys(violations).map((name) => {
      if (name in controlViolations) return [name, "F 7"];
      if (name in hostViolations) return [name, "F 8"];
      const qualification = name.startsWith("vmcs-link")
        ? 4
        : name.startsWith("guest-pdpte")
          ? 2
          : 0;
      return [name, `X 80000021 ${qualification}`];
    });
    expect(answers).toEqual({ [VALID]: HLT, ...Object.fromEntries(expected) });
  });

  test.skipIf(!hasBochs)(
    "gives the same answers on Bochs, but for differences that are explained",
    async () => {
      const theirs = await onBochs(disk);
      const expected = Object.entries(answers).map(([name, answer]) => [
        name,
        DIFFERENCES[name]?.[0] ?? answer,
      ]);
      expect(theirs).toEqual(Object.fromEntries(expected));
    },
  );
});
