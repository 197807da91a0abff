/**
 * Gets guests that nobody here wrote from Debian, into .cache/debian:
 *
 *     pnpm guest:busybox    busybox, the static program of the package busybox-static
 *     pnpm guest:linux      vmlinux, the kernel for clouds, taken out of its bzImage
 *
 * They are never committed. Where apt is missing or has no network this says so and fails; tests that want them
 * then say that they skipped.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackKernel } from "@ringside/machine";
import { dependencyOf, unpackFrom } from "./apt.ts";

const cache = fileURLToPath(new URL("../../../.cache/debian/", import.meta.url));

/** Writes the file called like the key; the folder is empty and goes away afterwards. */
const makers: Readonly<Record<string, (file: string, folder: string) => Promise<void> | void>> = {
  busybox(file, folder) {
    copyFileSync(unpackFrom("busybox-static", "{bin,usr/bin}/busybox", folder), file);
  },
  async vmlinux(file, folder) {
    const name = dependencyOf("linux-image-cloud-amd64");
    const image = readFileSync(unpackFrom(name, "boot/vmlinuz-*", folder));
    writeFileSync(file, await unpackKernel(image));
  },
};

for (const name of process.argv.slice(2)) {
  const make = makers[name];
  if (make === undefined)
    throw new Error(`"${name}" is none of ${Object.keys(makers).join(", ")}.`);
  const file = join(cache, name);
  const folder = mkdtempSync(join(tmpdir(), "ringside-debian-"));
  try {
    mkdirSync(cache, { recursive: true });
    if (!existsSync(file)) await make(file, folder);
    console.log(file);
  } catch (error) {
    console.error(
      `Debian's ${name} is not available: ${error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
