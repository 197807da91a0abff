/**
 * The kernels in QEMU, which nobody here wrote: every program case, the nanobenchmarks, and initrds that lie.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { frameTypes } from "./abi.ts";
import { encodeFrame, frameReader } from "./console-frame.ts";
import { kernelImage, nanoBenchmarks, nanoImage, selftestImage, userProgram } from "./images.ts";
import { initrd } from "./initrd.ts";
import { programCases, type ProgramCase } from "./program-cases.ts";
import { programInitrd } from "./program-initrd.ts";

const hasQemu = spawnSync("qemu-system-x86_64", ["--version"]).status === 0;

interface Outcome {
  readonly stdout: string;
  /** As a shell has it; undefined without an exit frame. */
  readonly status: number | undefined;
  readonly log: string;
  /** 2 * value + 1 of what was written to the exit port; null when the time was over. */
  readonly qemuStatus: number | null;
}

interface Options {
  readonly image?: Uint8Array;
  readonly commandLine?: string;
  readonly archive?: Uint8Array;
  readonly stdin?: Uint8Array;
  readonly memoryMib?: number;
  readonly limitMs?: number;
}

function shellStatus(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
}

async function boot(options: Options): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "ringside-guest-"));
  try {
    const file = (name: string): string => join(folder, name);
    writeFileSync(file("kernel"), options.image ?? kernelImage());
    writeFileSync(file("log"), "");
    const withInitrd: string[] = [];
    if (options.archive !== undefined) {
      writeFileSync(file("initrd"), options.archive);
      withInitrd.push("-initrd", file("initrd"));
    }
    const qemu = spawn("qemu-system-x86_64", [
      ...["-accel", "tcg", "-cpu", "qemu64", "-m", `${options.memoryMib ?? 128}`],
      ...["-display", "none", "-nodefaults", "-no-reboot"],
      ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
      ...["-debugcon", `file:${file("log")}`],
      ...["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
      ...["-kernel", file("kernel"), "-append", options.commandLine ?? "", ...withInitrd],
    ]);
    const timer = setTimeout(() => qemu.kill("SIGKILL"), options.limitMs ?? 60_000);
    let stdout = "";
    let status: number | undefined;
    const decoder = new TextDecoder();
    const reader = frameReader({
      frame: (frame) => {
        if (frame.type === "stdout") stdout += decoder.decode(frame.bytes, { stream: true });
        else if (frame.type === "exit") status = shellStatus(frame.waitStatus);
      },
    });
    qemu.stdout.on("data", (bytes: Uint8Array) => reader.push(bytes));
    // The guest may power off before it has read everything.
    qemu.stdin.on("error", () => undefined);
    if (options.stdin !== undefined) {
      for (const frame of encodeFrame(frameTypes.stdin, options.stdin)) qemu.stdin.write(frame);
    }
    for (const frame of encodeFrame(frameTypes.stdinEnd, new Uint8Array())) qemu.stdin.write(frame);
    const qemuStatus = await new Promise<number | null>((resolve, reject) => {
      qemu.on("error", reject);
      qemu.on("close", resolve);
    });
    clearTimeout(timer);
    return { stdout, status, log: readFileSync(file("log"), "utf8"), qemuStatus };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function archiveOf({ program, args, env }: ProgramCase): Uint8Array {
  const path = `/bin/${program.slice(program.lastIndexOf("/") + 1)}`;
  const files = [{ path, mode: 0o755, data: userProgram(program) }];
  return programInitrd({ argv: [path, ...args], env, files });
}

describe.skipIf(!hasQemu)(
  "the guest kernel in QEMU (skipped where qemu-system-x86_64 is not installed)",
  () => {
    const endless = programCases.filter(({ statuses }) => statuses.length === 0);
    const ending = programCases.filter(({ statuses }) => statuses.length > 0);

    test.each(ending)("runs $name $args", async (programCase) => {
      const outcome = await boot({ archive: archiveOf(programCase) });
      expect(outcome.log).not.toContain("panic");
      expect(outcome.stdout).toBe(programCase.output ?? outcome.stdout);
      expect(programCase.statuses).toContain(outcome.status);
      expect(outcome.qemuStatus).toBe(1);
    });

    test.each(endless)("keeps running $name $args", async (programCase) => {
      const outcome = await boot({ archive: archiveOf(programCase), limitMs: 3000 });
      expect(outcome.log).not.toContain("panic");
      expect(outcome.qemuStatus).toBeNull();
    });

    test.each([16, 64, 512, 3072])("runs with %i MiB of memory", async (memoryMib) => {
      const outcome = await boot({
        memoryMib,
        archive: programInitrd({
          argv: ["/bin/bench", "sha256", "10"],
          env: [],
          files: [{ path: "/bin/bench", mode: 0o755, data: userProgram("bin/bench") }],
        }),
      });
      expect(outcome.log).toContain("KiB of memory");
      expect(outcome.stdout).toMatch(/^checksum [0-9a-f]{16}\n$/u);
      expect(outcome.status).toBe(0);
    });

    test("says what it cannot run", async () => {
      const outcome = await boot({
        archive: programInitrd({ argv: ["/nothing"], env: [], files: [] }),
      });
      expect(outcome.status).toBe(127);
    });

    const good = initrd([{ path: "/init", mode: 0o755, data: userProgram("init") }]);
    const nameSizeAt = 6 + 8 * 11;
    const fileSizeAt = 6 + 8 * 6;
    const digits = (text: string): Uint8Array => new TextEncoder().encode(text);
    test.each<[string, (archive: Uint8Array) => Uint8Array, RegExp]>([
      ["nothing", () => new Uint8Array(), /cannot run \/init/u],
      ["ends in a header", (a) => a.slice(0, 60), /initrd: ends at byte 60, in a header/u],
      [
        "ends in a file",
        (a) => a.slice(0, 4000),
        /initrd: byte 0: init has \d+ bytes, \d+ are left/u,
      ],
      ["ends without a trailer", (a) => a.slice(0, -124), /initrd: ends at byte \d+, .*TRAILER/u],
      ["is no archive", (a) => a.fill(0x20, 0, 6), /initrd: byte 0: no cpio header/u],
      [
        "has a size that is no number",
        (a) => set(a, digits("zzzzzzzz"), fileSizeAt),
        /hexadecimal/u,
      ],
      [
        "lies about a file's size",
        (a) => set(a, digits("ffffffff"), fileSizeAt),
        /4294967295 bytes/u,
      ],
      [
        "lies about a name's size",
        (a) => set(a, digits("ffffffff"), nameSizeAt),
        /a name of 4294967295/u,
      ],
      ["has a name without an end", (a) => set(a, digits("00000004"), nameSizeAt), /does not end/u],
    ])("panics with a reason when the initrd %s", async (_, spoil, reason) => {
      const outcome = await boot({ archive: spoil(good.slice()) });
      expect(outcome.log).toMatch(/kernel panic: /u);
      expect(outcome.log).toMatch(reason);
      expect(outcome.qemuStatus).toBe(3);
    });
  },
);

function set(archive: Uint8Array, bytes: Uint8Array, offset: number): Uint8Array {
  archive.set(bytes, offset);
  return archive;
}

describe.skipIf(!hasQemu)(
  "the nanobenchmark kernel in QEMU (skipped where qemu-system-x86_64 is not installed)",
  () => {
    test.each(nanoBenchmarks)("%s does its work", async (name) => {
      const outcome = await boot({ image: nanoImage(), commandLine: `bench=${name} n=1000` });
      expect(outcome.log).toMatch(/^checksum [0-9a-f]{16}\n$/u);
      expect(outcome.qemuStatus).toBe(1);
      const other = await boot({ image: nanoImage(), commandLine: `bench=${name} n=1001` });
      expect(other.log).not.toBe(outcome.log);
    });

    test.each(["", "bench=in", "bench=in n=0", "bench=in n=99999999999", "bench=none n=1"])(
      "refuses the command line %j",
      async (commandLine) => {
        const outcome = await boot({ image: nanoImage(), commandLine });
        expect(outcome.log).toMatch(/^nano: /u);
        expect(outcome.qemuStatus).toBe(3);
      },
    );
  },
);

/** What QEMU's translator does otherwise than the manuals say; selftest/README.md says how. */
const qemuDiffers: ReadonlySet<string> = new Set([
  "int1",
  "sse-divide-by-zero",
  "sse-divide-by-zero-without-osxmmexcpt",
  "non-canonical-jump",
  "non-canonical-call",
  "unknown-msr",
  "int-beyond-idt",
  "int-gate-not-present",
  "int-task-gate",
  "undefined-then-not-present",
  "undefined-then-stack-fault",
  "reserved-bit-read",
  "reserved-bit-write",
  "reserved-size-bit",
  "user-syscall-steps",
  "idt-limit",
  "user-int-of-dpl-0",
  "user-int3-of-dpl-0",
  "user-jump-to-nowhere",
  "alignment-check",
  "syscall-masks-flags",
  "iret-to-nowhere",
  "non-canonical-stack",
  "cr8-reserved",
  "gs-base-not-canonical",
  "efer-lme-off",
  "efer",
  // Its clocks are the host's, which may have other things to do.
  "tsc-follows-8254",
  "apic-follows-8254",
  "timer-10-ms",
  "timer-5-ms",
  "timer-2.5-ms",
  "timer-periodic",
]);

describe.skipIf(!hasQemu)(
  "the self-test kernel in QEMU (skipped where qemu-system-x86_64 is not installed)",
  () => {
    test("finds what the manuals say, but for what QEMU is known for", async () => {
      const outcome = await boot({ image: selftestImage(), commandLine: "skip=refusals" });
      const lines = outcome.log.split("\n").filter(Boolean);
      expect(lines.at(-1)).toMatch(/^(?:passed|failed) [0-9a-f]+$/u);
      const bad = lines.filter((line) => line.startsWith("bad ")).map((line) => line.split(" ")[1]);
      expect(bad.filter((name) => !qemuDiffers.has(name ?? ""))).toEqual([]);
      expect(lines.filter((line) => line.startsWith("ok ")).length).toBeGreaterThan(300);
    });
  },
);

describe("the images", () => {
  const checked = spawnSync(new URL("../scripts/check-images.sh", import.meta.url).pathname, {
    encoding: "utf8",
  });
  test.skipIf(checked.status === 77)(
    "come out of their sources again (skipped with another compiler than that of images/compiler.txt)",
    () => {
      expect(checked.stdout + checked.stderr).toBe("");
      expect(checked.status).toBe(0);
    },
  );
});
