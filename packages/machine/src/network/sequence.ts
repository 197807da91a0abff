/** Sequence numbers of TCP: 32 bits that wrap around. RFC 9293, section 3.4, "Sequence Numbers". */

export function plus(sequence: number, bytes: number): number {
  return (sequence + bytes) % 2 ** 32;
}

/** How far `to` lies behind `from`, modulo 2^32. */
export function distance(from: number, to: number): number {
  return (to - from + 2 ** 32) % 2 ** 32;
}
