/**
 * Names and paths as strings of one character per byte.
 *
 * Linux names are bytes, not text. Strings of characters below 256 hold them without loss, and compare and hash fast.
 */

/** Bytes to a string of one character per byte. */
export function decodeName(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += 4096) {
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  }
  return text;
}

/** The reverse of {@link decodeName}. */
export function encodeName(name: string): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let index = 0; index < name.length; index++) bytes[index] = name.charCodeAt(index);
  return bytes;
}

/** Text of the host, whose characters may be any, as a name in UTF-8. */
export function nameFromText(text: string): string {
  return decodeName(new TextEncoder().encode(text));
}
