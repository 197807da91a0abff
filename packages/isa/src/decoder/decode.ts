/**
 * The decoder of the whole table, made when it is first asked for.
 */
import { instructions } from "../instructions/index.ts";
import type { DecodeContext, Decoded, DecodeFault, Decoder } from "./decoded.ts";
import { decoderFor } from "./decoder.ts";

let decoder: Decoder | undefined;

/** The decoder of every instruction in the table. */
export function wholeDecoder(): Decoder {
  decoder ??= decoderFor(instructions);
  return decoder;
}

/** Decodes the instruction that starts at `offset` of `bytes`, by every row of the table. */
export function decode(
  bytes: Uint8Array,
  offset: number,
  context: DecodeContext,
): Decoded | DecodeFault {
  return wholeDecoder().decode(bytes, offset, bytes.length - offset, context);
}
