import { describe, expect, test } from "vitest";
import { modulesDep, withDependencies, type KernelModule } from "./kernel-modules.ts";

function module(path: string, depends: string): KernelModule {
  return {
    path,
    bytes: new TextEncoder().encode(`ELF\0license=GPL\0depends=${depends}\0name=x\0`),
  };
}

const ring = module("kernel/drivers/virtio/virtio_ring.ko", "virtio");
const virtio = module("kernel/drivers/virtio/virtio.ko", "");
const pci = module("kernel/drivers/virtio/virtio_pci.ko", "virtio_ring,virtio,virtio-modern");
const modern = module("kernel/drivers/virtio/virtio-modern.ko", "");
const all = new Map([
  ["virtio_ring", ring],
  ["virtio", virtio],
  ["virtio_pci", pci],
  ["virtio_modern", modern],
]);

describe("modules of a kernel", () => {
  test("come with all that they need, whether names have hyphens or underscores", () => {
    const found = withDependencies(["virtio-pci"], (name) => all.get(name));
    expect(new Set(found)).toEqual(new Set([pci, ring, virtio, modern]));
  });

  test("leave out what the kernel has built in", () => {
    expect(withDependencies(["ext4", "virtio"], (name) => all.get(name))).toEqual([virtio]);
  });

  test("are listed with what must be loaded first at the end", () => {
    expect(modulesDep([pci, ring, virtio, modern])).toBe(
      [
        `${modern.path}:`,
        `${virtio.path}:`,
        `${pci.path}: ${ring.path} ${virtio.path} ${modern.path}`,
        `${ring.path}: ${virtio.path}`,
        "",
      ].join("\n"),
    );
  });
});
