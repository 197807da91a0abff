/** The log of Debian's kernel here and under QEMU, with the same processor features. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultProfile } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { cannotRun, ringsideIn } from "../testing/ringside-process.ts";
import { qemuCpu } from "../lockstep/qemu-cpu.ts";
import { logDifferences } from "./kernel-log-differences.ts";

const cached = (name: string): string =>
  fileURLToPath(new URL(`../../../../.cache/debian/${name}`, import.meta.url));
const kernel = cached("vmlinuz");
const commandLine = "console=ttyS0 cryptomgr.notests panic=-1";
const hasQemu = spawnSync("qemu-system-x86_64", ["--version"]).status === 0;

/** Lines without times, up to where the kernel finds no program to run; each as often as it is there. */
function linesOf(log: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  const [kernelLog = ""] = log.replaceAll("\r", "").split(/^.*Kernel panic/mu);
  for (const line of kernelLog.split("\n")) {
    if (!/^\[ *\d+\.\d+\] /u.test(line)) continue;
    const text = line.replace(/^\[ *\d+\.\d+\] /u, "");
    lines.set(text, (lines.get(text) ?? 0) + 1);
  }
  return lines;
}

function onlyIn(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): string[] {
  return [...one].flatMap(([line, count]) => {
    const more = count - (other.get(line) ?? 0);
    return more > 0 ? Array.from({ length: more }, () => line) : [];
  });
}

describe.skipIf(cannotRun || !hasQemu || !existsSync(kernel))(
  "the log of Debian's kernel (pnpm guest:linux fetches it; skipped without it and without QEMU)",
  () => {
    test("differs from that under QEMU in lines alone that the list explains", async () => {
      const qemu = spawnSync(
        "qemu-system-x86_64",
        [
          ...[
            "-machine",
            "pc",
            "-cpu",
            qemuCpu(defaultProfile),
            "-m",
            "256",
            "-icount",
            "shift=0,sleep=off",
          ],
          ...["-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"],
          ...["-kernel", kernel, "-append", commandLine],
        ],
        { encoding: "latin1", timeout: 200_000, stdio: ["ignore", "pipe", "ignore"] },
      );
      const ours = await ringsideIn(process.cwd(), [
        ...["boot", "--kernel", kernel, "--append", commandLine],
        ...["--memory", "256M", "--until", "Kernel panic", "--timeout", "250"],
      ]);
      expect(ours).toMatchObject({ status: 0 });
      const here = linesOf(ours.stdout);
      const there = linesOf(qemu.stdout);
      expect(there.size).toBeGreaterThan(150);
      const differing = [...onlyIn(here, there), ...onlyIn(there, here)];
      const isExplained = (line: string): boolean =>
        logDifferences.some(({ lines }) => lines.test(line));
      expect.soft(differing.filter((line) => !isExplained(line))).toEqual([]);
      // What explains nothing is not true any more.
      const unused = logDifferences.filter(
        ({ lines }) => !differing.some((line) => lines.test(line)),
      );
      expect(unused).toEqual([]);
    }, 500_000);
  },
);
