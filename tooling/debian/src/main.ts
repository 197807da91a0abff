/**
 * Gets guests that nobody here wrote from Debian, into .cache/debian:
 *
 *     pnpm guest:busybox    busybox, the static program of the package busybox-static
 *     pnpm guest:linux      vmlinuz and vmlinuz-generic, the kernels for clouds and for all; vmlinux, the former as it is
 *                           inside; modules.cpio, its drivers for virtio devices
 *     pnpm guest:xen        xen, the hypervisor of xen-system-amd64, unpacked
 *     pnpm guest:debian     root.ext4, a whole system on a disk image, with root.vmlinuz and root.initrd; needs root, mmdebstrap, e2fsprogs
 *
 * They are never committed. Where apt is missing or has no network this says so and fails; tests that want them
 * then say that they skipped.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { dependencyOf, unpackPackage } from "@ringside/bench/debian-packages";
import { initrd } from "@ringside/guest";
import { unpackKernel } from "@ringside/machine";
import { makeRootDisk } from "./root-disk.ts";

const cache = fileURLToPath(new URL("../../../.cache/debian/", import.meta.url));

/** Drivers of the kernel for clouds, in an order in which each finds what it needs. */
const modules = [
  "virtio/virtio_ring",
  "virtio/virtio",
  "virtio/virtio_pci_legacy_dev",
  "virtio/virtio_pci_modern_dev",
  "virtio/virtio_pci",
  "block/virtio_blk",
  "hw_random/virtio-rng",
  "char/virtio_console",
  "core/failover",
  "net/net_failover",
  "net/virtio_net",
  "fuse/fuse",
  "fuse/virtiofs",
  "firmware/qemu_fw_cfg",
];

/** Unpacks a package below `folder` and gives the files of it that match, one for each of tar's wildcards. */
async function unpackFrom(
  name: string,
  patterns: readonly string[],
  folder: string,
): Promise<string[]> {
  await unpackPackage(name, patterns, folder);
  return patterns.map((pattern) => {
    // A star of tar's matches slashes, too.
    const [file, ...others] = globSync(pattern.replaceAll("/*", "/**/*"), { cwd: folder });
    if (file !== undefined && others.length === 0) return join(folder, file);
    throw new Error(`${name} has ${others.length + (file === undefined ? 0 : 1)} of ${pattern}.`);
  });
}

async function kernelFrom(name: string, folder: string): Promise<string> {
  const [file = ""] = await unpackFrom(await dependencyOf(name), ["./boot/vmlinuz-*"], folder);
  return file;
}

/** Writes the file called like the key; the folder is empty and goes away afterwards. */
const makers: Readonly<Record<string, (file: string, folder: string) => Promise<void>>> = {
  async busybox(file, folder) {
    const [busybox = ""] = await unpackFrom("busybox-static", ["./*bin/busybox"], folder);
    copyFileSync(busybox, file);
  },
  async vmlinuz(file, folder) {
    copyFileSync(await kernelFrom("linux-image-cloud-amd64", folder), file);
  },
  async "vmlinuz-generic"(file, folder) {
    copyFileSync(await kernelFrom("linux-image-amd64", folder), file);
  },
  async vmlinux(file, folder) {
    const image = readFileSync(await kernelFrom("linux-image-cloud-amd64", folder));
    writeFileSync(file, await unpackKernel(image));
  },
  async "modules.cpio"(file, folder) {
    const patterns = modules.map((module) => `./lib/modules/*/${module}.ko`);
    const files = await unpackFrom(await dependencyOf("linux-image-cloud-amd64"), patterns, folder);
    const entries = files.map((path, index) => ({
      path: `/modules/${String(index).padStart(2, "0")}.ko`,
      mode: 0o644,
      data: readFileSync(path),
    }));
    writeFileSync(file, initrd(entries));
  },
  async xen(file, folder) {
    const name = await dependencyOf("xen-system-amd64");
    const [packed = ""] = await unpackFrom(name, ["./boot/xen-*.gz"], folder);
    writeFileSync(file, gunzipSync(readFileSync(packed)));
  },
  async "root.ext4"(_, folder) {
    await makeRootDisk(join(cache, "root"), folder);
  },
};

for (const name of process.argv.slice(2)) {
  const make = makers[name];
  if (make === undefined)
    throw new Error(`"${name}" is none of ${Object.keys(makers).join(", ")}.`);
  const file = join(cache, name);
  const folder = mkdtempSync(join(tmpdir(), "ringside-debian-"));
  // apt downloads as a user of its own, who must be able to look here.
  chmodSync(folder, 0o755);
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
