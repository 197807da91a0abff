/** The fields of a request: what the machine sent, which may be cut short or nonsense. */
import { FuseError } from "./fuse-error.ts";
import { errorNumber } from "./messages.ts";

const nameBytesMaximum = 255;

/** 32 bits. @throws {FuseError} EINVAL behind the end. */
export function word(body: Uint8Array, offset: number): number {
  if (offset + 4 > body.length) throw new FuseError(errorNumber.EINVAL);
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(offset, true);
}

/** 64 bits; what no file has, for numbers beyond 2^53. */
export function size64(body: Uint8Array, offset: number): number {
  const value = word(body, offset + 4) * 2 ** 32 + word(body, offset);
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}

/** Text up to its terminator, and what is behind that. @throws {FuseError} EILSEQ when it is no UTF-8. */
export function textFrom(
  body: Uint8Array,
  offset = 0,
): { readonly text: string; readonly end: number } {
  const terminator = body.indexOf(0, offset);
  const end = terminator < 0 ? body.length : terminator;
  return { text: decoded(body.subarray(offset, end)), end: end + 1 };
}

/** The name of a file in a folder. @throws {FuseError} when it is none. */
export function nameFrom(
  body: Uint8Array,
  offset = 0,
): { readonly name: string; readonly end: number } {
  const { text: name, end } = textFrom(body, offset);
  if (end - 1 - offset > nameBytesMaximum) throw new FuseError(errorNumber.ENAMETOOLONG);
  if (name === "" || name === "." || name === ".." || name.includes("/")) {
    throw new FuseError(errorNumber.EINVAL);
  }
  return { name, end };
}

/** Replacing what is no UTF-8 would make one name of two. */
function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new FuseError(errorNumber.EILSEQ);
  }
}

export function joined(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
