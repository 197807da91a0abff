/** A Debian system on an ext4 image, made with the distribution's own tools: mmdebstrap and mke2fs. */
import { copyFileSync, globSync, readFileSync } from "node:fs";
import { run } from "@ringside/bench/debian-packages";

const packages = [
  "systemd-sysv",
  "udev",
  "login",
  "iproute2",
  "isc-dhcp-client",
  "python3-minimal",
  "perl",
  "gcc",
  "libc6-dev",
  "sqlite3",
  "curl",
  "linux-image-cloud-amd64",
  "initramfs-tools",
];
const imageBytes = 1400 << 20;

/**
 * Writes the image to `file.ext4`, and beside it its kernel, `file.vmlinuz`, and the initrd that Debian made for that,
 * `file.initrd`. Needs root, as chroot does.
 */
export async function makeRootDisk(file: string, folder: string): Promise<void> {
  const suite = /^VERSION_CODENAME=(\S+)$/mu.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (suite === undefined) throw new Error("/etc/os-release does not say which Debian this is.");
  const root = `${folder}/root`;
  await run("mmdebstrap", [
    "--variant=minbase",
    `--include=${packages.join(",")}`,
    '--customize-hook=chroot "$1" passwd -d root',
    '--customize-hook=echo ringside > "$1/etc/hostname"',
    '--customize-hook=echo "/dev/vda / ext4 defaults 0 1" > "$1/etc/fstab"',
    suite,
    root,
  ]);
  for (const [pattern, ending] of [
    ["vmlinuz-*", "vmlinuz"],
    ["initrd.img-*", "initrd"],
  ] as const) {
    const [found] = globSync(`boot/${pattern}`, { cwd: root });
    if (found === undefined) throw new Error(`The system has no boot/${pattern}.`);
    copyFileSync(`${root}/${found}`, `${file}.${ending}`);
  }
  await run("truncate", ["-s", String(imageBytes), `${folder}/image`]);
  await run("mke2fs", ["-q", "-t", "ext4", "-d", root, `${folder}/image`]);
  // Holes stay holes.
  await run("cp", ["--sparse=always", `${folder}/image`, `${file}.ext4`]);
}
