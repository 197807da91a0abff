/**
 * Seeded randomness, and the values that find mistakes.
 */

/** Numbers that are the same for the same seed (Mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A number of 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** True once in `count` times. */
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  bits(count: number): bigint {
    let value = 0n;
    for (let at = 0; at < count; at += 32) value |= BigInt(this.next()) << BigInt(at);
    return BigInt.asUintN(count, value);
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }
}

/** A seed from a name (FNV-1a). */
export function seedOf(name: string): number {
  let hash = 0x811c_9dc5;
  for (const character of name)
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x0100_0193);
  return hash >>> 0;
}

/** An integer of `bits` bits: the edges of signed and unsigned ranges, of bytes and of nibbles, or anything. */
export function integerValue(random: Random, bits: number): bigint {
  const width = BigInt(bits);
  const top = 1n << (width - 1n);
  const all = (1n << width) - 1n;
  const edges: readonly [bigint, ...bigint[]] = [
    0n,
    1n,
    all,
    top,
    top - 1n,
    all - 1n,
    2n,
    0xfn,
    0x10n,
    0x7fn,
    0x80n,
    top + 1n,
  ];
  if (random.oneIn(2)) return BigInt.asUintN(bits, random.pick(edges));
  // Short numbers are as likely as long ones.
  return random.bits(1 + random.below(bits));
}

const SINGLES: readonly [bigint, ...bigint[]] = [
  ...[0n, 0x8000_0000n, 0x3f80_0000n, 0xbf80_0000n, 0x3f00_0000n, 0x3fc0_0000n, 0x4020_0000n],
  // Infinities, quiet and signalling NaNs.
  ...[0x7f80_0000n, 0xff80_0000n, 0x7fc0_0000n, 0xffc1_2345n, 0x7fa0_0001n],
  // Denormals, the smallest and the largest numbers.
  ...[1n, 0x807f_ffffn, 0x0080_0000n, 0x7f7f_ffffn, 0xff7f_ffffn],
  // The edges of 32- and 64-bit integers.
  ...[0x4f00_0000n, 0xcf00_0000n, 0x4eff_ffffn, 0x5f00_0000n, 0xdf00_0000n, 0x4b80_0001n],
] as [bigint, ...bigint[]];

const DOUBLES: readonly [bigint, ...bigint[]] = [
  ...[
    0n,
    1n << 63n,
    0x3ff0n << 48n,
    0xbff0n << 48n,
    0x3fe0n << 48n,
    0x3ff8n << 48n,
    0x4004n << 48n,
  ],
  ...[
    0x7ff0n << 48n,
    0xfff0n << 48n,
    0x7ff8n << 48n,
    0xfff8_0000_1234_5678n,
    0x7ff4_0000_0000_0001n,
  ],
  ...[1n, 0x800f_ffff_ffff_ffffn, 0x0010n << 48n, 0x7fef_ffff_ffff_ffffn, 0xffef_ffff_ffff_ffffn],
  ...[0x41e0n << 48n, 0xc1e0n << 48n, 0x41df_ffff_ffc0_0000n, 0x43e0n << 48n, 0xc3e0n << 48n],
  // Beside the range of single precision, and numbers that it rounds.
  ...[0x47ef_ffff_f000_0000n, 0x36a0n << 48n, 0x3ff0_0000_1000_0000n, 0x4330_0000_0000_0001n],
] as [bigint, ...bigint[]];

/** A single-precision number. */
export function singleValue(random: Random): bigint {
  if (random.oneIn(2)) return random.pick(SINGLES);
  // Near 1, so that operations on two of them stay in range.
  return (random.bits(1) << 31n) | ((120n + BigInt(random.below(16))) << 23n) | random.bits(23);
}

/** A double-precision number. */
export function doubleValue(random: Random): bigint {
  if (random.oneIn(2)) return random.pick(DOUBLES);
  return (random.bits(1) << 63n) | ((1016n + BigInt(random.below(16))) << 52n) | random.bits(52);
}

const EXTENDEDS: readonly [bigint, ...bigint[]] = [
  ...[
    0n,
    1n << 79n,
    0x3fff_8000n << 48n,
    0xbfff_8000n << 48n,
    0x3ffe_8000n << 48n,
    0x4000_c000n << 48n,
  ],
  ...[0x7fff_8000n << 48n, 0xffff_8000n << 48n, 0x7fff_c000n << 48n, 0xffff_c000n << 48n],
  // Denormals, with and without the integer bit; a signalling NaN; a number without its integer bit, which is none; the ends.
  1n,
  0x7fff_ffff_ffff_ffffn,
  0x8000n << 48n,
  0x7fff_a000_0000_0000_0001n,
  0x3fff_4000_0000_0000_0000n,
  0x0001_8000n << 48n,
  0x7ffe_ffff_ffff_ffff_ffffn,
  // Pi, a number with more digits than a double, and the edges of integers.
  ...[
    0x4000_c90f_daa2_2168_c235n,
    0x3fff_8000_0000_0000_0001n,
    0x401d_ffff_ffffn << 32n,
    0xc03e_8000n << 48n,
  ],
] as [bigint, ...bigint[]];

/** A double extended number. */
export function extendedValue(random: Random): bigint {
  if (random.oneIn(2)) return random.pick(EXTENDEDS);
  const exponent = BigInt(0x3fff - 8 + random.below(16));
  return (random.bits(1) << 79n) | (exponent << 64n) | (1n << 63n) | random.bits(63);
}
