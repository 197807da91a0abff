/** The same kernels in QEMU, which nobody here wrote: its lines are ours, but for differences that are explained. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { kernels } from "./index.ts";
import { romImage, type Kernel } from "./rom.ts";

const QEMU = "qemu-system-x86_64";
const hasQemu = spawnSync(QEMU, ["--version"]).status === 0;

function linesInQemu(kernel: Kernel): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "ringside-kernel-"));
  try {
    const rom = join(folder, "rom");
    writeFileSync(rom, romImage(kernel));
    const { stdout } = spawnSync(
      QEMU,
      [
        ...["-accel", "tcg", "-cpu", "max", "-m", "32", "-display", "none", "-nodefaults"],
        ...["-no-reboot", "-bios", rom, "-debugcon", "stdio"],
        ...["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
      ],
      { encoding: "latin1", timeout: 60_000 },
    );
    return stdout.trimEnd().split("\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(!hasQemu)("In QEMU", () => {
  test.each(kernels.map((kernel) => [kernel.topic, kernel] as const))(
    "%s gives the lines that it gives here, but for what is explained",
    (_topic, kernel) => {
      const expected = kernel.cases.map(({ name, expected: ours, qemu }) => [
        name,
        qemu?.prints ?? ours,
      ]);
      const lines = linesInQemu(kernel);
      const found = kernel.cases.map(({ name }, index) => [name, lines[index]]);
      expect(found).toEqual(expected);
    },
  );
});
