/**
 * Lists of fields that VM entry copies into the processor's state as they are, and that VM exit copies back.
 *
 * Both are words of the host's memory, so that an entry copies numbers from one place to another and makes no bigints.
 */
import type { ProcessorState, Slot } from "@ringside/isa";
import { fieldOf, type FieldKey, type VmcsField } from "./fields.ts";

/** A field and where its value lives while the guest runs. */
export type FieldPlace = readonly [field: FieldKey, slot: Slot];

/** The words of a processor's state block. */
export interface StateWords {
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
}

export function stateWords({ buffer, base }: ProcessorState): StateWords {
  return { u16: new Uint16Array(buffer, base), u32: new Uint32Array(buffer, base) };
}

/** One list of fields. A slot of 8 bytes takes a field of 32 bits zero-extended; 2 bytes take the low half of one. */
export class FieldTransfer {
  /** Positions in turn: of a field's low word, and of its slot, in words or, for slots of two bytes, in halves. */
  readonly #halves: Uint16Array;
  readonly #words: Uint16Array;
  /** Two words to two words. */
  readonly #pairs: Uint16Array;
  /** One word to two. */
  readonly #extended: Uint16Array;

  constructor(places: readonly FieldPlace[]) {
    const positions = (slotBytes: number, isIn: (field: VmcsField) => boolean): Uint16Array =>
      Uint16Array.from(
        places
          .filter(([key, { bytes }]) => bytes === slotBytes && isIn(fieldOf(key)))
          .flatMap(([key, { offset }]) => [
            fieldOf(key).index * 2,
            offset / (slotBytes === 2 ? 2 : 4),
          ]),
      );
    const isNarrow = ({ width }: VmcsField): boolean => width === 16 || width === 32;
    this.#halves = positions(2, isNarrow);
    this.#words = positions(4, isNarrow);
    this.#extended = positions(8, isNarrow);
    this.#pairs = positions(8, (field) => !isNarrow(field));
    const all = [this.#halves, this.#words, this.#extended, this.#pairs];
    if (all.reduce((sum, { length }) => sum + length / 2, 0) !== places.length)
      throw new RangeError("Bug in ringside: a field does not fit its slot, please report.");
  }

  /** From the fields to the state. */
  load(fields: Uint32Array, { u16, u32 }: StateWords): void {
    const halves = this.#halves;
    const words = this.#words;
    const extended = this.#extended;
    const pairs = this.#pairs;
    for (let at = 0; at < halves.length; at += 2)
      u16[halves[at + 1] ?? 0] = fields[halves[at] ?? 0] ?? 0;
    for (let at = 0; at < words.length; at += 2)
      u32[words[at + 1] ?? 0] = fields[words[at] ?? 0] ?? 0;
    for (let at = 0; at < extended.length; at += 2) {
      const slot = extended[at + 1] ?? 0;
      u32[slot] = fields[extended[at] ?? 0] ?? 0;
      u32[slot + 1] = 0;
    }
    for (let at = 0; at < pairs.length; at += 2) {
      const field = pairs[at] ?? 0;
      const slot = pairs[at + 1] ?? 0;
      u32[slot] = fields[field] ?? 0;
      u32[slot + 1] = fields[field + 1] ?? 0;
    }
  }

  /** From the state to the fields. */
  save({ u16, u32 }: StateWords, fields: Uint32Array): void {
    const halves = this.#halves;
    const words = this.#words;
    const extended = this.#extended;
    const pairs = this.#pairs;
    for (let at = 0; at < halves.length; at += 2)
      fields[halves[at] ?? 0] = u16[halves[at + 1] ?? 0] ?? 0;
    for (let at = 0; at < words.length; at += 2)
      fields[words[at] ?? 0] = u32[words[at + 1] ?? 0] ?? 0;
    for (let at = 0; at < extended.length; at += 2)
      fields[extended[at] ?? 0] = u32[extended[at + 1] ?? 0] ?? 0;
    for (let at = 0; at < pairs.length; at += 2) {
      const field = pairs[at] ?? 0;
      const slot = pairs[at + 1] ?? 0;
      fields[field] = u32[slot] ?? 0;
      fields[field + 1] = u32[slot + 1] ?? 0;
    }
  }
}
