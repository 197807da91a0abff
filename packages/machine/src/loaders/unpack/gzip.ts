/**
 * Decompression of gzip (RFC 1952), no further than it should go: a megabyte can unpack to a gigabyte, and the library
 * alone would follow it to its end. It leaves the check to its caller, too.
 */
import { crc32 } from "./crc32.ts";

const magic = [0x1f, 0x8b];
/** CRC-32 and size of the output, at the end. RFC 1952, section 2.3, "Member format". */
const trailerBytes = 8;
/** Unpacks to at most 64 MiB, which is how far too much can come at once. */
const stepBytes = 1 << 16;

/** True when the data begins as gzip does. */
export function isGzip(packed: Uint8Array): boolean {
  return magic.every((byte, at) => packed[at] === byte);
}

/**
 * @param packed Exactly one member.
 * @param outputBytes The exact size of the result.
 * @throws {Error} when the data is not what it says it is.
 */
export async function unpackGzip(packed: Uint8Array, outputBytes: number): Promise<Uint8Array> {
  const { Gunzip } = await import("fflate");
  const output = new Uint8Array(outputBytes);
  let length = 0;
  const gunzip = new Gunzip((part) => {
    if (length + part.length > outputBytes)
      throw new RangeError(`It unpacks to more than the ${outputBytes} bytes that it says.`);
    output.set(part, length);
    length += part.length;
  });
  for (let at = 0; at < packed.length; at += stepBytes) {
    const end = at + stepBytes;
    gunzip.push(packed.subarray(at, end), end >= packed.length);
  }
  const unpacked = output.subarray(0, length);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (crc32(unpacked) !== view.getUint32(packed.length - trailerBytes, true))
    throw new RangeError("The checksum of the unpacked data is wrong.");
  return unpacked;
}
