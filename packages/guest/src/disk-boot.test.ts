import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { diskBootSector } from "./images.ts";

describe("the boot sector", () => {
  test("is the file of images/", () => {
    const file = readFileSync(new URL("../images/disk.bin", import.meta.url));
    expect(file.equals(diskBootSector())).toBe(true);
  });

  test("is one sector with the BIOS's signature, and no partition that a BIOS might check", () => {
    const sector = diskBootSector();
    expect(sector).toHaveLength(512);
    expect([...sector.subarray(510)]).toEqual([0x55, 0xaa]);
    expect(sector.subarray(446, 510).every((byte) => byte === 0)).toBe(true);
  });
});
