/** What lies on a boot disk. */
import { diskBootSector, kernelImage, nanoImage } from "@ringside/guest";
import { ImageError, loadKernel } from "@ringside/machine";
import { describe, expect, test } from "vitest";
import { bootDisk } from "./boot-disk.ts";

const MEMORY_BYTES = 64 << 20;
const initrd = new Uint8Array(10_000).map((_byte, index) => index);

/** Memory as the loaders leave it. */
function loaded(kernel: Uint8Array): {
  readonly memory: Uint8Array;
  readonly eip: number;
  readonly ebx: number;
} {
  const memory = new Uint8Array(MEMORY_BYTES);
  const target = {
    write: (physical: number, bytes: Uint8Array) => memory.set(bytes, physical),
    fill: (physical: number, value: number, lengthBytes: number) =>
      void memory.fill(value, physical, physical + lengthBytes),
  };
  const entry = loadKernel(target, MEMORY_BYTES, {
    image: kernel,
    format: "pvh",
    commandLine: "quiet",
    initrd,
  });
  if (entry.mode !== "protected") throw new Error("entered in long mode");
  return { memory, eip: entry.eip, ebx: entry.ebx };
}

/** Does what the boot sector does: copies the pieces to their places. */
function copied(disk: Uint8Array): Uint8Array {
  const table = new DataView(disk.buffer, 512, 512);
  const memory = new Uint8Array(MEMORY_BYTES);
  let offset = 1024;
  for (let at = 8; table.getUint32(at + 4, true) !== 0; at += 8) {
    const bytes = table.getUint32(at + 4, true) * 512;
    memory.set(disk.subarray(offset, offset + bytes), table.getUint32(at, true));
    offset += bytes;
  }
  return memory;
}

describe("bootDisk", () => {
  test.each([
    ["kernel", kernelImage()],
    ["nano kernel", nanoImage()],
  ])("holds memory as the loader leaves it, and the entry of the %s", (_name, kernel) => {
    const { bytes, cylinders } = bootDisk({ kernel, commandLine: "quiet", initrd }, MEMORY_BYTES);
    const { memory, eip, ebx } = loaded(kernel);
    const table = new DataView(bytes.buffer, 512, 8);
    expect([table.getUint32(0, true), table.getUint32(4, true)]).toEqual([eip, ebx]);
    expect(Buffer.from(copied(bytes)).equals(memory)).toBe(true);
    expect(bytes.subarray(0, 512)).toEqual(diskBootSector());
    expect(bytes.length).toBe(cylinders * 16 * 63 * 512);
  });

  test("refuses a kernel that lies where the boot sector works", () => {
    const kernel = kernelImage();
    const view = new DataView(kernel.buffer);
    const header = Number(view.getBigUint64(32, true));
    for (let index = 0; index < view.getUint16(56, true); index += 1) {
      if (view.getUint32(header + 56 * index, true) !== 1) continue;
      view.setBigUint64(header + 56 * index + 24, 0x1_0000n, true); // p_paddr
      break;
    }
    expect(() => bootDisk({ kernel, commandLine: "", initrd }, MEMORY_BYTES)).toThrow(
      /which the boot sector takes/u,
    );
  });

  test("refuses what is no kernel, and an initrd that does not fit", () => {
    expect(() => bootDisk({ kernel: initrd, commandLine: "", initrd }, MEMORY_BYTES)).toThrow(
      ImageError,
    );
    expect(() =>
      bootDisk(
        { kernel: kernelImage(), commandLine: "", initrd: new Uint8Array(MEMORY_BYTES) },
        MEMORY_BYTES,
      ),
    ).toThrow(ImageError);
  });
});
