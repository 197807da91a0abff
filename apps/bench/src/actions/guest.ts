/** What `ringside guest fetch` does. */
import {
  access,
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FetchOptions, KernelFlavour } from "../commands/guest.ts";
import { CommandError } from "../failure.ts";
import { dependencyOf, missingPrograms, unpackPackage } from "../guest-files/debian-packages.ts";
import { initramfs, wantedModules } from "../guest-files/initramfs.ts";
import { moduleName, withDependencies, type KernelModule } from "../guest-files/kernel-modules.ts";
import { progress } from "../terminal.ts";

/** Downloads what is missing in `folder`, and says what is there then. */
export async function fetchGuests(folder: string, options: FetchOptions): Promise<void> {
  await makeFolder(folder);
  const scratch = await mkdtemp(join(tmpdir(), "ringside-guest-"));
  // apt downloads as a user of its own, who must be able to look here.
  await chmod(scratch, 0o755);
  const status = progress();
  try {
    const busyboxPath = join(folder, "busybox");
    const missing = (await isIncomplete(folder, options)) ? await missingPrograms() : [];
    if (missing.length > 0) throw new CommandError(byHand(folder, missing));
    if (!(await exists(busyboxPath))) {
      status.update("busybox");
      await unpackPackage("busybox-static", ["./bin/busybox"], scratch);
      await copyFile(join(scratch, "bin/busybox"), busyboxPath);
    }
    const busybox = await readFile(busyboxPath);
    const written = [busyboxPath];
    for (const flavour of options.kernel) {
      status.update(`linux-image-${flavour}`);
      written.push(...(await fetchKernel(flavour, folder, scratch, busybox)));
    }
    status.stop();
    for (const path of written) process.stdout.write(`${path}\n`);
  } finally {
    status.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Whether anything is still to be downloaded. */
async function isIncomplete(folder: string, options: FetchOptions): Promise<boolean> {
  const names = ["busybox"];
  for (const flavour of options.kernel) names.push(`vmlinuz-${flavour}`, `initrd-${flavour}`);
  const there = await Promise.all(names.map((name) => exists(join(folder, name))));
  return there.includes(false);
}

/** The kernel and its initramfs, with its modules. Gives their paths. */
async function fetchKernel(
  flavour: KernelFlavour,
  folder: string,
  scratch: string,
  busybox: Uint8Array,
): Promise<readonly string[]> {
  const kernelPath = join(folder, `vmlinuz-${flavour}`);
  const initrdPath = join(folder, `initrd-${flavour}`);
  if ((await exists(kernelPath)) && (await exists(initrdPath))) return [kernelPath, initrdPath];
  const name = await dependencyOf(`linux-image-${flavour}`);
  const release = name.replace(/^linux-image-/u, "");
  const patterns = wantedPatterns(release);
  await unpackPackage(name, patterns, scratch);
  await copyFile(join(scratch, `boot/vmlinuz-${release}`), kernelPath);
  const kernel = { release, modules: await modulesOf(join(scratch, "lib/modules", release)) };
  await writeFile(initrdPath, initramfs({ busybox, kernel }));
  return [kernelPath, initrdPath];
}

/**
 * What of a kernel's package may hold {@link wantedModules}. Each pattern matches something in every kernel, whatever
 * it has built in, because tar takes one that matches nothing for an error.
 */
function wantedPatterns(release: string): readonly string[] {
  const places = [
    "crypto/c*",
    "drivers/block/v*",
    "drivers/char/[hv]*",
    "drivers/net/[nv]*",
    "drivers/virtio/*",
    "fs/[efjm]*",
    "lib/*",
    "net/core/*",
  ];
  return [
    `./boot/vmlinuz-${release}`,
    ...places.map((place) => `./lib/modules/${release}/kernel/${place}`),
  ];
}

async function modulesOf(folder: string): Promise<readonly KernelModule[]> {
  const paths = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith(".ko"));
  const byName = new Map<string, KernelModule>();
  for (const path of paths)
    byName.set(moduleName(path), { path, bytes: await readFile(join(folder, path)) });
  return withDependencies(wantedModules, (name) => byName.get(name));
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(`The folder ${folder} cannot be made (${why}).`, undefined, {
      cause: error,
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false; // That is the answer.
  }
}

/** What to do on a machine without apt. */
function byHand(folder: string, missing: readonly string[]): string {
  return `This machine has no ${missing.join(", ")}, which Debian and Ubuntu have. Get by hand, from https://packages.debian.org: \
the newest package linux-image-*-cloud-amd64, and busybox-static. Unpack them (\`ar x FILE.deb\`, then \`tar xf data.tar.xz\`), and boot with \
\`ringside boot --kernel boot/vmlinuz-*\`; an initramfs is a cpio archive ("newc") with /bin/busybox and an executable /init, for --initrd. \
They need not be in ${folder}.`;
}
