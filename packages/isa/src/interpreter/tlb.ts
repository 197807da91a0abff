/**
 * The TLB from TypeScript: invalidation, and tags.
 *
 * Handlers know one TLB. Tags (VPIDs and the like) are made by exchanging its contents: what another tag has cached is
 * put aside and comes back with it, so a switch keeps translations without a longer probe on every access.
 */
import {
  DENY_SUPERVISOR_WRITE,
  DENY_USER_WRITE,
  TAG_DENIAL_SHIFT,
  TAG_GLOBAL,
  TAG_LARGE,
} from "../paging/tag.ts";
import {
  EMPTY_TAG,
  FRAME_BYTES,
  FRAME_ENTRY,
  FRAME_ENTRY_BYTES,
  TLB_ENTRY,
  TLB_ENTRY_BYTES,
  TLB_OFFSET,
  TLB_SET_BYTES,
  TLB_SETS,
} from "./layout.ts";

const ENTRY_WORDS: number = TLB_ENTRY_BYTES / 4;
const TLB_WORDS: number = (TLB_SETS * TLB_SET_BYTES) / 4;
const TAG_WORD: number = TLB_ENTRY.tag.offset / 4;
const TRANSLATION_WORD: number = TLB_ENTRY.translation.offset / 4;
const CODE_PAGE_WORD: number = TLB_ENTRY.codePage.offset / 4;
const CODE_MODE_WORD: number = TLB_ENTRY.codeMode.offset / 4;
const EMPTY_LOW = Number(BigInt.asUintN(32, EMPTY_TAG));
const EMPTY_HIGH = Number(EMPTY_TAG >> 32n);
/** Bits of the tag's upper word that belong to the page number. */
const PAGE_HIGH = 0xf_ffff;
const WRITE_DENIED = (DENY_SUPERVISOR_WRITE | DENY_USER_WRITE) << (TAG_DENIAL_SHIFT - 32);

/** Where the TLB and the frame table lie in the host's memory, in bytes. */
export interface TlbPlace {
  readonly processorBlock: number;
  readonly frameTable: number;
  readonly physicalBytes: number;
  /** Whether pages of 1 GByte exist; the largest ones are 4 MBytes else. */
  readonly hugePages: boolean;
}

export class Tlb {
  readonly #words: Uint32Array;
  readonly #frames: Uint32Array;
  readonly #frameCount: number;
  readonly #banks = new Map<number, Uint32Array>();
  /** Bits of a page number inside the largest page. */
  readonly #largeShift: number;
  #tag = 0;

  constructor(buffer: ArrayBuffer, place: TlbPlace) {
    this.#words = new Uint32Array(buffer, place.processorBlock + TLB_OFFSET, TLB_WORDS);
    this.#largeShift = place.hugePages ? 18 : 10;
    this.#frameCount = place.physicalBytes / FRAME_BYTES;
    this.#frames = new Uint32Array(
      buffer,
      place.frameTable,
      (this.#frameCount * FRAME_ENTRY_BYTES) / 4,
    );
  }

  /** The tag whose translations are in use. */
  get tag(): number {
    return this.#tag;
  }

  /** Empties the TLB of the current tag; without `includingGlobal`, global pages stay. */
  flush(includingGlobal: boolean): void {
    flushWords(this.#words, includingGlobal);
  }

  /** Empties what one tag has cached, or all of them. */
  flushTag(tag: number | undefined, includingGlobal: boolean): void {
    if (tag === undefined || tag === this.#tag) this.flush(includingGlobal);
    for (const [each, words] of this.#banks) {
      if (tag !== undefined && each !== tag) continue;
      if (includingGlobal) this.#banks.delete(each);
      else flushWords(words, false);
    }
  }

  /** Drops the translations of a linear address under the current tag, and those of the large page around it. */
  invalidate(linear: bigint): void {
    const low = Number(BigInt.asUintN(32, linear >> 12n));
    const high = Number(BigInt.asUintN(20, linear >> 44n));
    const words = this.#words;
    for (let entry = 0; entry < TLB_WORDS; entry += ENTRY_WORDS) {
      const tagLow = words[entry + TAG_WORD] ?? 0;
      if (((words[entry + TAG_WORD + 1] ?? 0) & PAGE_HIGH) !== high) continue;
      const isLarge = ((words[entry + TRANSLATION_WORD] ?? 0) & TAG_LARGE) !== 0;
      if (tagLow === low || (isLarge && tagLow >>> this.#largeShift === low >>> this.#largeShift)) {
        empty(words, entry);
      }
    }
  }

  /** Exchanges the TLB's contents for those of another tag. */
  select(tag: number): void {
    if (tag === this.#tag) return;
    this.#banks.set(this.#tag, this.#words.slice());
    this.#tag = tag;
    const bank = this.#banks.get(tag);
    if (bank === undefined) {
      this.flush(true);
      return;
    }
    this.#banks.delete(tag);
    this.#words.set(bank);
    this.#refresh();
  }

  /** Code may have been decoded or dropped meanwhile: entries find their code page anew, and writes are denied again. */
  #refresh(): void {
    const words = this.#words;
    for (let entry = 0; entry < TLB_WORDS; entry += ENTRY_WORDS) {
      if (words[entry + TAG_WORD + 1] === EMPTY_HIGH && words[entry + TAG_WORD] === EMPTY_LOW)
        continue;
      words[entry + CODE_PAGE_WORD] = 0;
      words[entry + CODE_MODE_WORD] = 0;
      const frame = (words[entry + TRANSLATION_WORD] ?? 0) >>> 12;
      if ((words[entry + TRANSLATION_WORD + 1] ?? 0) !== 0 || frame >= this.#frameCount) continue;
      const lines = (frame * FRAME_ENTRY_BYTES + FRAME_ENTRY.codeLines.offset) / 4;
      if (this.#frames[lines] !== 0 || this.#frames[lines + 1] !== 0) {
        words[entry + TAG_WORD + 1] = (words[entry + TAG_WORD + 1] ?? 0) | WRITE_DENIED;
      }
    }
  }
}

function empty(words: Uint32Array, entry: number): void {
  words[entry + TAG_WORD] = EMPTY_LOW;
  words[entry + TAG_WORD + 1] = EMPTY_HIGH;
}

function flushWords(words: Uint32Array, includingGlobal: boolean): void {
  for (let entry = 0; entry < TLB_WORDS; entry += ENTRY_WORDS) {
    if (!includingGlobal && ((words[entry + TRANSLATION_WORD] ?? 0) & TAG_GLOBAL) !== 0) continue;
    empty(words, entry);
  }
}
