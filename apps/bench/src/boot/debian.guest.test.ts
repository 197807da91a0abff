/** Debian's stock kernels boot to a shell, take typed commands, and power off. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { initramfs } from "../guest-files/initramfs.ts";
import { cannotRun, ringsideIn } from "../testing/ringside-process.ts";

const cached = (name: string): string =>
  fileURLToPath(new URL(`../../../../.cache/debian/${name}`, import.meta.url));
const isMissing = !["vmlinuz", "vmlinuz-generic", "busybox"].every((name) =>
  existsSync(cached(name)),
);
const quiet = "console=ttyS0 quiet cryptomgr.notests";

describe.skipIf(cannotRun || isMissing)(
  "Debian's kernels (pnpm guest:linux and pnpm guest:busybox fetch them and a shell)",
  () => {
    let folder = "";
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "ringside-debian-"));
      await writeFile(
        join(folder, "initrd"),
        initramfs({ busybox: readFileSync(cached("busybox")) }),
      );
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    test.each([
      ["vmlinuz", "bzimage", "", "ringside-v1"],
      ["vmlinuz", "pvh", "acpi=off", "x86-64-v1"],
      ["vmlinuz-generic", "pvh", "", "x86-64-v1"],
      // The generic kernel's own xz takes 4,500 million instructions: once is enough.
      ["vmlinuz-generic", "bzimage", "acpi=off", "x86-64-v2"],
    ] as const)(
      "%s by %s %s on %s runs what is typed, and its end is the command's",
      async (kernel, format, more, cpu) => {
        const hasAcpi = more === "";
        // Without ACPI nothing can switch the machine off: it halts.
        const leave = hasAcpi ? "poweroff" : "halt -f";
        const { status, stdout, stderr } = await ringsideIn(
          folder,
          [
            ...["boot", "--kernel", cached(kernel), "--format", format],
            ...["--initrd", "initrd", "--memory", "256M", "--cpu", cpu],
            ...["--append", `${quiet} ${more}`, "--timeout", "500", "--stats"],
          ],
          { input: `echo $((6 * 7)) from $(uname -m)\ngrep -c ttyS /proc/interrupts\n${leave}\n` },
        );
        expect(stdout).toContain("42 from x86_64");
        expect(stdout).toMatch(/^1\r$/mu);
        expect(stderr).toMatch(/^instructions {2}[\d,]+ \(ring 0 /mu);
        expect(status).toBe(0);
      },
      600_000,
    );
  },
);
