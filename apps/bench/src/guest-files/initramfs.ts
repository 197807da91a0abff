/** The initramfs that `ringside guest fetch` makes: busybox, its configuration, and modules of one kernel. */
import { initrd, type InitrdEntry } from "@ringside/guest";
import { dhcpScript, initScript, inittab } from "./init-script.ts";
import { modulesDep, type KernelModule } from "./kernel-modules.ts";

/** What the machine's devices need, where the kernel has it as a module. */
export const wantedModules: readonly string[] = [
  "virtio_pci",
  "virtio_blk",
  "virtio_net",
  "virtio_console",
  "virtio_rng",
  "virtiofs",
  "ext4",
  "crc32c_generic",
];

export interface InitramfsOptions {
  readonly busybox: Uint8Array;
  /** Modules and the release of the kernel that they are for; none for a kernel of one's own. */
  readonly kernel?: { readonly release: string; readonly modules: readonly KernelModule[] };
}

/** A cpio archive, the same bytes for the same files. */
export function initramfs({ busybox, kernel }: InitramfsOptions): Uint8Array {
  const text = (path: string, data: string, mode: number): InitrdEntry => ({
    path,
    mode,
    data: new TextEncoder().encode(data),
  });
  const entries: InitrdEntry[] = [
    text("/init", initScript, 0o755),
    text("/etc/inittab", inittab, 0o644),
    text("/etc/udhcpc.script", dhcpScript, 0o755),
    { path: "/bin/busybox", mode: 0o755, data: busybox },
  ];
  if (kernel !== undefined) {
    const folder = `/lib/modules/${kernel.release}`;
    for (const { path, bytes } of kernel.modules)
      entries.push({ path: `${folder}/${path}`, data: bytes });
    entries.push(text(`${folder}/modules.dep`, modulesDep(kernel.modules), 0o644));
  }
  return initrd(entries);
}
