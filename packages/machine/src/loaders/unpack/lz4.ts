/**
 * Decompression of LZ4 in its legacy frame, as Linux packs kernels: a magic number, then blocks, each after its
 * compressed size. (LZ4 Block Format Description and LZ4 Frame Format Description, "Legacy frame".) The libraries for
 * JavaScript know the present frame only.
 */
const magic = 0x184c_2102;

const minimumMatch = 4;

/** True when the data begins as such a frame does. */
export function isLz4Legacy(packed: Uint8Array): boolean {
  return packed.length >= 4 && wordAt(packed, 0) === magic;
}

/**
 * @param packed May be followed by four bytes that Linux appends, the size of `outputBytes`.
 * @param outputBytes The exact size of the result.
 * @throws {RangeError} when the data is not what it says it is.
 */
export function unpackLz4Legacy(packed: Uint8Array, outputBytes: number): Uint8Array {
  if (!isLz4Legacy(packed)) throw new RangeError("This is no LZ4 legacy frame.");
  const output = new Uint8Array(outputBytes);
  let from = 4;
  let to = 0;
  while (to < outputBytes) {
    if (from + 4 > packed.length) throw new RangeError("LZ4 data ends before what it unpacks to.");
    const blockBytes = wordAt(packed, from);
    from += 4;
    if (from + blockBytes > packed.length) throw new RangeError("A block of LZ4 is cut short.");
    to = unpackBlock(packed.subarray(from, from + blockBytes), output, to);
    from += blockBytes;
  }
  return output;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

/** Gives the position in `output` behind what was unpacked. */
function unpackBlock(block: Uint8Array, output: Uint8Array, start: number): number {
  let from = 0;
  let to = start;

  const next = (): number => {
    const byte = block[from];
    if (byte === undefined)
      throw new RangeError("A block of LZ4 ends in the middle of a sequence.");
    from += 1;
    return byte;
  };
  const length = (nibble: number): number => {
    let total = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255; total += more) more = next();
    return total;
  };

  while (from < block.length) {
    const token = next();
    const literals = length(token >> 4);
    if (from + literals > block.length || to + literals > output.length) {
      throw new RangeError("A run of literals of LZ4 is longer than what holds it.");
    }
    output.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === block.length) break; // The last sequence has no match.

    const distance = next() | (next() << 8);
    const end = to + length(token & 15) + minimumMatch;
    if (distance === 0 || distance > to || end > output.length) {
      throw new RangeError("A match of LZ4 lies outside of what was unpacked.");
    }
    for (; to < end; to += 1) output[to] = output[to - distance] ?? 0; // May overlap: byte by byte.
  }
  return to;
}
