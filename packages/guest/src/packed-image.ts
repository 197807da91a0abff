/**
 * Images as text in a module, so that they reach browsers without a fetch.
 *
 * Packed: pieces separated by spaces, base64 text and the decimal length of a run of zero bytes in turn, base64 first.
 * Executables are full of such runs, and the text stays the same whatever compressor a machine has.
 */

/** @throws {RangeError} when the text is not a packed image. */
export function unpackImage(packed: string): Uint8Array<ArrayBuffer> {
  const pieces = packed.split(" ");
  const parts: (string | number)[] = [];
  let size = 0;
  for (const [index, piece] of pieces.entries()) {
    const part = index % 2 === 0 ? atob(piece) : Number(piece);
    const bytes = typeof part === "string" ? part.length : part;
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new RangeError(`[ringside/guest] Not a packed image: a run of ${piece} zeros.`);
    }
    parts.push(part);
    size += bytes;
  }
  const image = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    if (typeof part === "number") {
      offset += part;
      continue;
    }
    for (let i = 0; i < part.length; i++) image[offset++] = part.charCodeAt(i);
  }
  return image;
}
