/** Debian's stock kernels boot to a shell, take typed commands, and power off. */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
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
      ["vmlinuz", "pvh", "", "x86-64-v2-system"],
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
