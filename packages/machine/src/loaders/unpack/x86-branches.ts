/**
 * Undoes the filter that makes x86 code compress better: the targets of CALL and JMP were made absolute.
 *
 * The .xz File Format, section 5.3.2, "Branch/Call/Jump Filters for Executables", leaves the details to the reference
 * implementations (XZ Embedded, linux/lib/xz/xz_dec_bcj.c). The filter guesses what is an instruction; its mask tells
 * which of the three bytes before looked like an opcode, and both directions must guess alike.
 */

/** By mask: whether an opcode here can be one, and how far back the byte lies that decides. */
const isAllowed = [true, true, true, false, true, false, false, false] as const;
const distanceBack = [0, 1, 2, 2, 3, 3, 3, 3] as const;

/** In place; `code` is the whole of the filtered data. */
export function decodeX86Branches(code: Uint8Array): void {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const end = code.length - 4;
  let mask = 0;
  let before = -1;
  for (let at = 0; at < end; at += 1) {
    if (((code[at] ?? 0) & 0xfe) !== 0xe8) continue;
    const distance = at - before;
    before = at;
    mask = distance > 3 ? 0 : (mask << (distance - 1)) & 7;
    const decisive = code[at + 4 - (distanceBack[mask] ?? 0)] ?? 0;
    const isRuledOut = mask !== 0 && (isAllowed[mask] !== true || isSignByte(decisive));
    if (isRuledOut || !isSignByte(code[at + 4] ?? 0)) {
      mask = (mask << 1) | 1;
      continue;
    }
    view.setUint32(at + 1, relative(view.getUint32(at + 1, true), at + 5, mask), true);
    at += 4;
  }
}

/** What the top byte of a near displacement is: a sign. */
function isSignByte(byte: number): boolean {
  return byte === 0x00 || byte === 0xff;
}

/** The displacement from `next` to an absolute target, which the encoder may have turned around twice. */
function relative(absolute: number, next: number, mask: number): number {
  const target = (absolute - next) >>> 0;
  if (mask === 0) return signExtended(target);
  const back = 8 * (distanceBack[mask] ?? 0);
  let turned = target;
  while (isSignByte((turned >>> (24 - back)) & 0xff)) {
    turned = ((turned ^ (2 ** (32 - back) - 1)) - next) >>> 0;
  }
  return signExtended(turned);
}

/** Bit 24 is the sign. */
function signExtended(target: number): number {
  const low = target & 0x01ff_ffff;
  return ((target & 0x0100_0000) === 0 ? low : low | 0xfe00_0000) >>> 0;
}
