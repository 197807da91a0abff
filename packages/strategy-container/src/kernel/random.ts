/**
 * The kernel's random numbers: a fixed sequence, so that runs repeat.
 *
 * xoshiro128** of Blackman and Vigna, seeded through SplitMix32. Not for secrets.
 */
export class RandomSource {
  readonly #state: Uint32Array = new Uint32Array(4);

  constructor(seed: number) {
    let value = seed >>> 0;
    for (let index = 0; index < 4; index++) {
      value = (value + 0x9e37_79b9) >>> 0;
      let mixed = value;
      mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
      this.#state[index] = mixed ^ (mixed >>> 16);
    }
  }

  next(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const c2 = c ^ a;
    const d2 = d ^ b;
    state[1] = b ^ c2;
    state[0] = a ^ d2;
    state[2] = c2 ^ (b << 9);
    state[3] = rotate(d2, 11);
    return scrambled;
  }

  bytes(lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    for (let index = 0; index < lengthBytes; index += 4) {
      const word = this.next();
      for (let byte = 0; byte < 4 && index + byte < lengthBytes; byte++) {
        bytes[index + byte] = word >>> (byte * 8);
      }
    }
    return bytes;
  }
}

function rotate(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}
