/** CRC-32 as in IEEE 802.3: polynomial 0x04c1_1db7, reflected. */

const table: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ 0xedb8_8320;
  }
  return remainder;
});

/** 32 bits, unsigned. */
export function crc32(bytes: Uint8Array): number {
  let remainder = 0xffff_ffff;
  // By index: an iterator takes several times as long, and kernels have tens of megabytes.
  for (let at = 0; at < bytes.length; at += 1) {
    remainder = (remainder >>> 8) ^ (table[(remainder ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  }
  return ~remainder >>> 0;
}
