/**
 * The kernels that check themselves, those of the processor and those of the board, in emulators that nobody here
 * wrote: their lines are ours, but for differences that each case explains.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emulators, kernels, romImage, type Emulator, type Kernel } from "@ringside/isa/testing";
import { describe, expect, test } from "vitest";
import { boardKernels } from "./index.ts";

function isInstalled({ command, probe }: Emulator): boolean {
  return spawnSync(command, probe).status === 0;
}

function linesIn(emulator: Emulator, kernel: Kernel): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "ringside-kernel-"));
  try {
    const { files, arguments: list, input } = emulator.prepare(kernel, folder);
    writeFileSync(join(folder, "rom"), romImage(kernel));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const options = { encoding: "latin1", timeout: 60_000, input } as const;
    const { stdout, status } = spawnSync(emulator.command, list, options);
    return emulator.linesOf(stdout, status);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const all = [...kernels, ...boardKernels].map((kernel) => [kernel.topic, kernel] as const);

describe.each(emulators.map((emulator) => [emulator.name, emulator] as const))(
  "In %s",
  (_name, emulator) => {
    const isThere = isInstalled(emulator);
    for (const [topic, kernel] of all) {
      const lacking = emulator.lacks(kernel);
      const name = lacking === undefined ? topic : `${topic} (not in ${emulator.name}: ${lacking})`;
      test.skipIf(!isThere || lacking !== undefined)(
        `${name} gives the lines that it gives here`,
        () => {
          const lines = linesIn(emulator, kernel);
          const found = kernel.cases.map((each, index) => [each.name, lines[index]]);
          expect(found).toEqual(
            kernel.cases.map((each) => [
              each.name,
              emulator.differenceOf(each)?.prints ?? each.expected,
            ]),
          );
        },
      );
    }
  },
);
