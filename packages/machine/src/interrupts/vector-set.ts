/** A set of vectors, as the eight 32-bit words that the registers of a local APIC show. */
export class VectorSet {
  readonly #words = new Uint32Array(8);

  word(index: number): number {
    return this.#words[index] ?? 0;
  }

  has(vector: number): boolean {
    return (this.word(vector >> 5) & (1 << (vector & 31))) !== 0;
  }

  add(vector: number): void {
    this.#words[vector >> 5] = this.word(vector >> 5) | (1 << (vector & 31));
  }

  delete(vector: number): void {
    this.#words[vector >> 5] = this.word(vector >> 5) & ~(1 << (vector & 31));
  }

  /** The highest vector, or -1. */
  highest(): number {
    for (let index = 7; index >= 0; index -= 1) {
      const word = this.word(index);
      if (word !== 0) return 32 * index + 31 - Math.clz32(word);
    }
    return -1;
  }

  clear(): void {
    this.#words.fill(0);
  }
}
