/** Puts one unit together: its code, and the tables beside it. */
import type { Region } from "../cache/region.ts";
import type { Sequences } from "./sequences.ts";
import type { Place, Spill, TranslatedInstruction, UnitExit } from "./unit.ts";

/**
 * The one encoding of a callout: `int 0x60`. In the cache nothing else uses that vector, and what a callout is for is found by
 * its address.
 */
export const calloutVector = 0x60;
export const calloutBytes: Uint8Array = Uint8Array.of(0xcd, calloutVector);
/** A continuation is a callout with room for the jump that replaces it: `jmp rel32`. */
export const continuationBytes = 5;
const continuation = Uint8Array.of(...calloutBytes, 0x0f, 0x1f, 0x00);

/** Opcodes with a 32-bit displacement. Intel SDM Vol. 2A, "JMP—Jump" and "Jcc—Jump if Condition Is Met". */
const jccNear = [0x0f, 0x80] as const;

export class UnitBuilder {
  readonly places: Place[] = [];
  readonly exits: UnitExit[] = [];
  readonly instructions: TranslatedInstruction[] = [];
  readonly #region: Region;
  readonly #sequences: Sequences;
  readonly #start: number;
  readonly #bytes: number[] = [];
  readonly #tails: Tail[] = [];
  #guestRip = 0n;
  #spilled: readonly Spill[] = [];

  /** @param start Where the unit will lie in the cache. */
  constructor(region: Region, sequences: Sequences, start: number) {
    this.#region = region;
    this.#sequences = sequences;
    this.#start = start;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** Offset in the cache of the next byte. */
  get offset(): number {
    return this.#start + this.#bytes.length;
  }

  /** Linear address of the next byte. */
  get address(): bigint {
    return this.#region.code + BigInt(this.offset);
  }

  /** The guest's instruction at `guestRip` begins here, with all of its registers in place. */
  boundary(guestRip: bigint): void {
    this.#guestRip = guestRip;
    this.#spilled = [];
    this.places.push({ offset: this.offset, guestRip, isBoundary: true, spilled: [] });
  }

  /** From here on a fault finds these registers in slots. */
  spilled(...spilled: readonly Spill[]): void {
    const { offset } = this;
    this.#spilled = spilled;
    this.places.push({ offset, guestRip: this.#guestRip, isBoundary: false, spilled });
  }

  append(bytes: Iterable<number>): void {
    this.#bytes.push(...bytes);
  }

  /** Appends a sequence; see {@link Sequences}. */
  sequence(text: string): void {
    this.append(this.#sequences.bytes(text));
  }

  /** The length of a sequence, for short jumps over it. */
  sequenceBytes(text: string): number {
    return this.#sequences.bytes(text).length;
  }

  /** Branches to code behind the unit, which does not come back. `condition` is that of Jcc. */
  branchAway(condition: number, emit: () => void): void {
    this.append([jccNear[0], jccNear[1] | condition]);
    const guestRip = this.#guestRip;
    this.#tails.push({ branchOffset: this.offset, guestRip, spilled: this.#spilled, emit });
    this.append(displacement(0));
  }

  /** Emits what {@link branchAway} put off. */
  finish(): void {
    for (const { branchOffset, guestRip, spilled, emit } of this.#tails) {
      const at = branchOffset - this.#start;
      const bytes = displacement(this.offset - (branchOffset + 4));
      for (const [index, byte] of bytes.entries()) this.#bytes[at + index] = byte;
      this.#guestRip = guestRip;
      this.spilled(...spilled);
      emit();
    }
    this.#tails.length = 0;
  }

  callout(exit: DistributiveOmit<Exclude<UnitExit, { kind: "continuation" }>, "offset">): void {
    this.exits.push({ ...exit, offset: this.offset });
    this.append(calloutBytes);
  }

  /** The unit goes on at `target`. */
  continueAt(target: bigint, branchOffset?: number): void {
    this.boundary(target);
    this.exits.push({ kind: "continuation", offset: this.offset, target, branchOffset });
    this.append(continuation);
  }

  /** A conditional branch to `taken`, else to `next`; the low half of `condition` is its code. */
  branch(condition: number, taken: bigint, next: bigint): void {
    this.append([jccNear[0], jccNear[1] | (condition & 0xf)]);
    const branchOffset = this.offset;
    this.append(displacement(continuationBytes));
    this.continueAt(next);
    this.continueAt(taken, branchOffset);
  }
}

/** Code that is emitted behind the unit. */
interface Tail {
  readonly branchOffset: number;
  readonly guestRip: bigint;
  readonly spilled: readonly Spill[];
  readonly emit: () => void;
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown
  ? Omit<Union, Key>
  : never;

/** 32 bits, little-endian. */
export function displacement(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
