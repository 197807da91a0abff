/**
 * The ELF kernel inside a bzImage (Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
 *
 * The header says where the compressed kernel lies; its last four bytes are its size when unpacked.
 */
import { lz4LegacyMagic, unpackLz4Legacy } from "./lz4.ts";

const setupSectors = 0x1f1;
const headerMagic = 0x202;
const payloadOffset = 0x248;
const payloadLength = 0x24c;
const sectorBytes = 512;
const maximumBytes = 256 << 20;

/** @throws {RangeError} when `image` is no bzImage, or is compressed with something else than LZ4. */
export function elfKernelOf(image: Uint8Array): Uint8Array {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint32(headerMagic, true) !== 0x5372_6448) {
    throw new RangeError('This is no bzImage: it has no "HdrS" at offset 0x202.');
  }
  const start =
    (view.getUint8(setupSectors) + 1) * sectorBytes + view.getUint32(payloadOffset, true);
  const end = start + view.getUint32(payloadLength, true);
  const magic = view.getUint32(start, true);
  if (magic !== lz4LegacyMagic) {
    throw new RangeError(
      `The kernel is compressed with something else than LZ4 (its magic is 0x${magic.toString(16)}).`,
    );
  }
  const size = view.getUint32(end - 4, true);
  if (size > maximumBytes) throw new RangeError(`The kernel says it has ${size} bytes unpacked.`);
  return unpackLz4Legacy(image.subarray(start, end), size);
}
