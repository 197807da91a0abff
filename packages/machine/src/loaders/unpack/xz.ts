/**
 * Decompression of .xz as Linux packs kernels: one block of LZMA2, behind the filter for x86 code ("BCJ") or not.
 *
 * The .xz File Format, version 1.2.1: sections 2.1.1, "Stream Header"; 2.1.2, "Stream Footer"; 3.1, "Block Header";
 * 5.3.2, "Branch/Call/Jump Filters for Executables". The library decodes LZMA2 and knows no other filter. So its data get
 * a header that asks for nothing else, and the filter and the check are done here.
 */
import type * as XzDecompress from "xz-decompress";
import { crc32 } from "./crc32.ts";
import { decodeX86Branches } from "./x86-branches.ts";

const headerBytes = 12;
const footerBytes = 12;
const magic = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const checkCrc32 = 1;
const filterX86 = 0x04;
const filterLzma2 = 0x21;

/** True when the file begins as .xz does. */
export function isXz(packed: Uint8Array): boolean {
  return magic.every((byte, at) => packed[at] === byte);
}

/**
 * @param packed Exactly one stream.
 * @param outputBytes The exact size of the result.
 * @throws {RangeError} when the data is not what it says it is, or uses what this does not know.
 */
export async function unpackXz(packed: Uint8Array, outputBytes: number): Promise<Uint8Array> {
  const block = readBlockHeader(packed);
  const plainHeader = lzma2Header(block.dictionary);
  const output = await decodeLzma2(
    [plainHeader, packed.subarray(headerBytes + block.headerBytes)],
    outputBytes,
  );
  if (block.hasBranches) decodeX86Branches(output);
  const expected = storedCheck(packed);
  if (expected !== undefined && crc32(output) !== expected) {
    throw new RangeError("The checksum of the unpacked data is wrong.");
  }
  return output;
}

interface Block {
  readonly headerBytes: number;
  readonly hasBranches: boolean;
  /** The property of the LZMA2 filter. */
  readonly dictionary: number;
}

function readBlockHeader(packed: Uint8Array): Block {
  if (!isXz(packed)) throw new RangeError("This is no .xz stream.");
  const size = ((packed[headerBytes] ?? 0) + 1) * 4;
  const header = packed.subarray(headerBytes, headerBytes + size);
  if (header.length < size || size < 8) throw new RangeError("The block's header is cut short.");
  const view = new DataView(header.buffer, header.byteOffset, size);
  if (crc32(header.subarray(0, size - 4)) !== view.getUint32(size - 4, true)) {
    throw new RangeError("The checksum of the block's header is wrong.");
  }
  const flags = header[1] ?? 0;
  if ((flags & 0xfc) !== 0)
    throw new RangeError("The block's header has sizes, or reserved flags.");
  let at = 2;
  let hasBranches = false;
  for (let filter = 0; filter <= (flags & 3); filter += 1) {
    const [id = 0, propertyBytes = 0, property = 0] = header.subarray(at, size - 4);
    at += 2 + propertyBytes;
    if (id === filterX86 && propertyBytes === 0) hasBranches = true;
    else if (id === filterLzma2 && propertyBytes === 1) {
      return { headerBytes: size, hasBranches, dictionary: property };
    } else throw new RangeError(`The filter 0x${id.toString(16)} is not known.`);
  }
  throw new RangeError("The last filter is not LZMA2.");
}

/** The stream's own check, when it is a CRC-32: it lies before the index, whose size the footer tells. */
function storedCheck(packed: Uint8Array): number | undefined {
  if (packed[7] !== checkCrc32) return undefined;
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const footer = packed.length - footerBytes;
  if (view.getUint16(packed.length - 2, true) !== 0x5a59) {
    throw new RangeError("The stream's footer is missing.");
  }
  const indexBytes = (view.getUint32(footer + 4, true) + 1) * 4;
  const at = footer - indexBytes - 4;
  if (at < headerBytes) throw new RangeError("The stream's index is larger than the stream.");
  return view.getUint32(at, true);
}

/** Stream and block header of a stream without a check whose only filter is LZMA2. */
function lzma2Header(dictionary: number): Uint8Array {
  const bytes = new Uint8Array(headerBytes + 12);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint32(8, crc32(bytes.subarray(6, 8)), true);
  bytes.set([2, 0, filterLzma2, 1, dictionary], headerBytes);
  view.setUint32(headerBytes + 8, crc32(bytes.subarray(headerBytes, headerBytes + 8)), true);
  return bytes;
}

async function decodeLzma2(parts: readonly Uint8Array[], outputBytes: number): Promise<Uint8Array> {
  const { XzReadableStream } = libraryOf(await import("xz-decompress"));
  const input = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  const output = new Uint8Array(outputBytes);
  const reader = new XzReadableStream(input).getReader();
  for (let length = 0; length < outputBytes;) {
    // What follows the last byte (check, index, footer) is not that of the header above, and is not read.
    let part: Uint8Array | undefined;
    try {
      part = (await reader.read()).value;
    } catch (cause) {
      throw new RangeError("The LZMA2 data is damaged or cut short.", { cause });
    }
    if (part === undefined) throw new RangeError("There is less data than it says.");
    const taken = part.subarray(0, outputBytes - length);
    output.set(taken, length);
    length += taken.length;
  }
  // The library serves one stream at a time: this one is over.
  await reader.cancel();
  return output;
}

/** It is a CommonJS module: Node puts it under "default", bundlers give its names. */
function libraryOf(
  module: typeof XzDecompress | { readonly default: typeof XzDecompress },
): typeof XzDecompress {
  return "XzReadableStream" in module ? module : module.default;
}
