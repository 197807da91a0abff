/** Debian's stock kernels boot to a shell, take typed commands, and power off. */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultProfile, processorProfiles } from "@ringside/isa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { initramfs } from "../guest-files/initramfs.ts";
import { cannotRun, ringsideIn, type Ended } from "../testing/ringside-process.ts";

const cached = (name: string): string =>
  fileURLToPath(new URL(`../../../../.cache/debian/${name}`, import.meta.url));
const isMissing = !["vmlinuz", "vmlinuz-generic", "busybox"].every((name) =>
  existsSync(cached(name)),
);
const quiet = "console=ttyS0 quiet cryptomgr.notests";
const noAcpi = "acpi=off";

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

    const boots = (kernel: string, flags: readonly string[], more: string): Promise<Ended> => {
      // Without ACPI nothing can switch the machine off: it halts.
      const leave = more === noAcpi ? "halt -f" : "poweroff";
      return ringsideIn(
        folder,
        [
          ...["boot", "--kernel", cached(kernel), "--initrd", "initrd", "--memory", "256M"],
          ...["--append", `${quiet} ${more}`, "--timeout", "500", "--stats", ...flags],
        ],
        { input: `echo $((6 * 7)) from $(uname -m)\ngrep ttyS /proc/interrupts\n${leave}\n` },
      );
    };
    /** What must be seen of a shell that did what was typed, and of an end in good order. */
    const shell = (more: string): unknown => ({
      status: 0,
      stdout: expect.stringMatching(
        more === noAcpi
          ? /^42 from x86_64\r$[^]*XT-PIC.* ttyS0\r$/mu
          : /^42 from x86_64\r$[^]*IO-APIC.* ttyS0\r$[^]*Power down/mu,
      ),
      stderr: expect.stringMatching(/^instructions {2}[\d,]+ \(ring 0 /mu),
    });

    // Every way in, with and without ACPI, as the processor that the command takes by itself and as the oldest.
    const combinations = ["vmlinuz", "vmlinuz-generic"].flatMap((kernel) =>
      ["bzimage", "pvh"].flatMap((format) =>
        ["", noAcpi].flatMap((more) =>
          ["the default", "x86-64-v1"].map((cpu) => ({ kernel, format, more, cpu })),
        ),
      ),
    );
    test.each(combinations)(
      "$kernel by $format with '$more' on $cpu runs what is typed, and its end is the command's",
      async ({ kernel, format, more, cpu }) => {
        const flags = cpu === "the default" ? [] : ["--cpu", cpu];
        expect(await boots(kernel, ["--format", format, ...flags], more)).toEqual(shell(more));
      },
      600_000,
    );

    const others = [...processorProfiles.keys()].filter(
      (cpu) => cpu !== "x86-64-v1" && cpu !== defaultProfile.id,
    );
    test.each(others)(
      "the kernel for clouds boots on %s, too",
      async (cpu) => {
        expect(await boots("vmlinuz", ["--format", "pvh", "--cpu", cpu], "")).toEqual(shell(""));
      },
      600_000,
    );
  },
);

describe.skipIf(cannotRun || isMissing || !existsSync(cached("modules.cpio")))(
  "Debian's drivers and what is plugged in (pnpm guest:linux and pnpm guest:busybox fetch them and a shell)",
  () => {
    let folder = "";
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "ringside-plugged-"));
      const modules = readFileSync(cached("modules.cpio"));
      // Each archive of an initrd begins at a multiple of four bytes.
      const padded = Buffer.alloc(Math.ceil(modules.length / 4) * 4);
      modules.copy(padded);
      const shell = initramfs({ busybox: readFileSync(cached("busybox")) });
      await writeFile(join(folder, "initrd"), Buffer.concat([padded, shell]));
      for (const name of ["read", "write"]) {
        await mkdir(join(folder, name));
        await writeFile(join(folder, name, "kept"), "kept");
        await symlink("../secret", join(folder, name, "leak"));
        await symlink("..", join(folder, name, "up"));
      }
      await writeFile(join(folder, "secret"), "secret");
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    test("a guest changes the share that it may, no other, and nothing outside", async () => {
      const typed = `
        for module in /modules/*; do insmod $module; done
        mkdir /r /w; mount -t virtiofs share /r; mount -t virtiofs share1 /w
        touch /r/new || echo "reading on"ly
        mkdir /w/made; echo from the guest >/w/made/file; rm /w/kept
        echo bad >/w/leak; echo bad >/w/up/secret; echo bad >/w/../taken; ln -s ../secret /w/made/link
        cat /secret /taken; umount /w
        dd if=/dev/hwrng bs=8 count=1 2>/dev/null | hexdump -C | head -n 1
        poweroff
      `;
      const { status, stdout } = await ringsideIn(
        folder,
        [
          ...["boot", "--kernel", cached("vmlinuz"), "--format", "pvh", "--memory", "256M"],
          ...["--initrd", "initrd", "--append", quiet, "--timeout", "300"],
          ...["--share", "read", "--share", "write,writable", "--entropy", "7"],
        ],
        { input: typed.replaceAll(/^\s+/gmu, "") },
      );
      expect({ status, stdout }).toMatchObject({ status: 0 });
      expect(stdout).toContain("reading only");
      // Links lead to the guest's own files.
      expect(stdout).toMatch(/^bad\r\nbad\r$/mu);
      expect(stdout).toMatch(/^00000000 {2}(?:[\da-f]{2} +){8}/mu);
      const inside = async (name: string): Promise<string[]> =>
        (await readdir(join(folder, name))).toSorted();
      expect(await inside("read")).toEqual(["kept", "leak", "up"]);
      expect(await inside("write")).toEqual(["leak", "made", "up"]);
      expect(await readFile(join(folder, "write", "made", "file"), "latin1")).toBe(
        "from the guest\n",
      );
      expect(await readFile(join(folder, "secret"), "latin1")).toBe("secret");
      expect(await inside(".")).toEqual(["initrd", "read", "secret", "write"]);
    }, 360_000);
  },
);
