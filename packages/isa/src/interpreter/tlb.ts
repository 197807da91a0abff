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
  TLB_USED_BYTES,
  TLB_USED_OFFSET,
} from "./layout.ts";

const ENTRY_WORDS: number = TLB_ENTRY_BYTES / 4;
const TLB_WORDS: number = (TLB_SETS * TLB_SET_BYTES) / 4;
const SET_WORDS: number = TLB_SET_BYTES / 4;
const USED_WORDS: number = TLB_USED_BYTES / 4;
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

/** What one tag has cached: the entries, and which sets have any. */
interface Bank {
  readonly words: Uint32Array;
  readonly used: Uint32Array;
}

export class Tlb {
  readonly #words: Uint32Array;
  readonly #used: Uint32Array;
  readonly #frames: Uint32Array;
  readonly #frameCount: number;
  readonly #banks = new Map<number, Bank>();
  /** Bits of a page number inside the largest page. */
  readonly #largeShift: number;
  #tag = 0;

  constructor(buffer: ArrayBuffer, place: TlbPlace) {
    this.#words = new Uint32Array(buffer, place.processorBlock + TLB_OFFSET, TLB_WORDS);
    this.#used = new Uint32Array(buffer, place.processorBlock + TLB_USED_OFFSET, USED_WORDS);
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

  /** Empties all of it, whatever was noted as used: for a state block that is new. */
  clear(): void {
    this.#used.fill(0xffff_ffff);
    this.flush(true);
    this.#banks.clear();
    this.#tag = 0;
  }

  /** Empties the TLB of the current tag; without `includingGlobal`, global pages stay. */
  flush(includingGlobal: boolean): void {
    flushBank({ words: this.#words, used: this.#used }, includingGlobal);
  }

  /** Empties what one tag has cached, or all of them. */
  flushTag(tag: number | undefined, includingGlobal: boolean): void {
    if (tag === undefined || tag === this.#tag) this.flush(includingGlobal);
    for (const [each, bank] of this.#banks) {
      if (tag !== undefined && each !== tag) continue;
      if (includingGlobal) this.#banks.delete(each);
      else flushBank(bank, false);
    }
  }

  /** Empties what the tags that a predicate names have cached. */
  flushTags(predicate: (tag: number) => boolean): void {
    if (predicate(this.#tag)) this.flush(true);
    for (const tag of [...this.#banks.keys()]) if (predicate(tag)) this.#banks.delete(tag);
  }

  /** Drops the translations of a linear address under the current tag, and those of the large page around it. */
  invalidate(linear: bigint): void {
    const low = Number(BigInt.asUintN(32, linear >> 12n));
    const high = Number(BigInt.asUintN(20, linear >> 44n));
    const words = this.#words;
    eachUsedEntry(this.#used, (entry) => {
      const tagLow = words[entry + TAG_WORD] ?? 0;
      if (((words[entry + TAG_WORD + 1] ?? 0) & PAGE_HIGH) !== high) return;
      const isLarge = ((words[entry + TRANSLATION_WORD] ?? 0) & TAG_LARGE) !== 0;
      const isSameLarge = tagLow >>> this.#largeShift === low >>> this.#largeShift;
      if (tagLow === low || (isLarge && isSameLarge)) empty(words, entry);
    });
  }

  /** Exchanges the TLB's contents for those of another tag. */
  select(tag: number): void {
    if (tag === this.#tag) return;
    this.#banks.set(this.#tag, { words: this.#words.slice(), used: this.#used.slice() });
    this.#tag = tag;
    this.flush(true);
    const bank = this.#banks.get(tag);
    if (bank === undefined) return;
    this.#banks.delete(tag);
    this.#words.set(bank.words);
    this.#used.set(bank.used);
    this.#refresh();
  }

  /** Code may have been decoded or dropped meanwhile: entries find their code page anew, and writes are denied again. */
  #refresh(): void {
    const words = this.#words;
    eachUsedEntry(this.#used, (entry) => {
      if (words[entry + TAG_WORD + 1] === EMPTY_HIGH && words[entry + TAG_WORD] === EMPTY_LOW)
        return;
      words[entry + CODE_PAGE_WORD] = 0;
      words[entry + CODE_MODE_WORD] = 0;
      const frame = (words[entry + TRANSLATION_WORD] ?? 0) >>> 12;
      if ((words[entry + TRANSLATION_WORD + 1] ?? 0) !== 0 || frame >= this.#frameCount) return;
      const lines = (frame * FRAME_ENTRY_BYTES + FRAME_ENTRY.codeLines.offset) / 4;
      if (this.#frames[lines] !== 0 || this.#frames[lines + 1] !== 0) {
        words[entry + TAG_WORD + 1] = (words[entry + TAG_WORD + 1] ?? 0) | WRITE_DENIED;
      }
    });
  }
}

function empty(words: Uint32Array, entry: number): void {
  words[entry + TAG_WORD] = EMPTY_LOW;
  words[entry + TAG_WORD + 1] = EMPTY_HIGH;
}

function flushBank({ words, used }: Bank, includingGlobal: boolean): void {
  eachUsedEntry(used, (entry) => {
    const isKept = !includingGlobal && ((words[entry + TRANSLATION_WORD] ?? 0) & TAG_GLOBAL) !== 0;
    if (!isKept) empty(words, entry);
  });
  if (includingGlobal) used.fill(0);
}

/** Visits the entries of the sets that were filled since they were emptied. */
function eachUsedEntry(used: Uint32Array, visit: (entry: number) => void): void {
  for (let word = 0; word < USED_WORDS; word += 1) {
    for (let bits = used[word] ?? 0; bits !== 0; bits &= bits - 1) {
      const first = (word * 32 + 31 - Math.clz32(bits & -bits)) * SET_WORDS;
      visit(first);
      visit(first + ENTRY_WORDS);
    }
  }
}
