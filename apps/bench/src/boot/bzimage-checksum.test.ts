import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { isBzImageIntact } from "./bzimage-checksum.ts";

/** A boot sector, one sector of setup, and 48 bytes of kernel with the checksum at their end. */
function bzImage(
  change: (image: Uint8Array, view: DataView) => void = () => undefined,
): Uint8Array {
  const image = new Uint8Array(2 * 512 + 48).map((_, index) => index * 7);
  const view = new DataView(image.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint32(0x1f4, 3, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint32(0x3c, 0x80, true);
  change(image, view);
  // The inverted sum of all before makes the sum of the whole what it must be.
  view.setUint32(image.length - 4, ~crc32(image.subarray(0, -4)) >>> 0, true);
  return image;
}

describe("the checksum of a bzImage", () => {
  test("is right for a whole one, and wrong for one with a changed bit", () => {
    const image = bzImage();
    expect(isBzImageIntact(image)).toBe(true);
    image[1030] = (image[1030] ?? 0) ^ 4;
    expect(isBzImageIntact(image)).toBe(false);
  });

  test("does not mind a signature behind the end, nor what signing changes in the PE header", () => {
    const image = bzImage((bytes, view) => {
      view.setUint32(0x80, 0x4550, true);
      view.setUint16(0x98, 0x20b, true);
      bytes.fill(0, 0x98 + 64, 0x98 + 68);
      bytes.fill(0, 0x98 + 144, 0x98 + 152);
    });
    const signed = new Uint8Array([...image, 1, 2, 3]);
    signed.fill(0x55, 0x98 + 64, 0x98 + 68);
    signed.fill(0xaa, 0x98 + 144, 0x98 + 152);
    expect(isBzImageIntact(signed)).toBe(true);
    signed[0x98 + 70] = 1;
    expect(isBzImageIntact(signed)).toBe(false);
  });

  test("is not there before protocol 2.08, nor in what is cut short", () => {
    expect(
      isBzImageIntact(bzImage((_, view) => view.setUint16(0x206, 0x207, true))),
    ).toBeUndefined();
    expect(isBzImageIntact(bzImage().subarray(0, 1040))).toBeUndefined();
    expect(isBzImageIntact(new Uint8Array(100))).toBeUndefined();
  });
});
