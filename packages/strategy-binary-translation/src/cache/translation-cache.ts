/**
 * The translation cache: units of translated code, how they are found, linked and dropped.
 *
 * In a nutshell: {@link install} puts a unit behind the last; {@link entry} finds code for a guest address, by every
 * boundary of every unit; {@link chain} replaces a callout by a jump, and dropping a unit puts the callouts back.
 * When the cache is full, or has code of too many pages, all of it is dropped.
 */
import type { PhysicalMemory } from "@ringside/isa";
import { calloutBytes, displacement } from "../translator/unit-builder.ts";
import { unitBytesMaximum } from "../translator/translator.ts";
import type { Place, TranslatedUnit, UnitExit } from "../translator/unit.ts";
import { lookupEntries, lookupEntryBytes, lookupProbes, type Region } from "./region.ts";

/** A unit in the cache. */
export interface CachedUnit extends TranslatedUnit {
  /** False once it was dropped. */
  isValid: boolean;
  /** Exits of other units (and its own) that jump into this one. */
  readonly chained: Set<CachedExit>;
}

export interface CachedExit {
  readonly unit: CachedUnit;
  readonly exit: UnitExit;
  /** The unit that it jumps to. */
  to: CachedUnit | undefined;
}

/** Where code for a guest address begins. */
export interface CacheEntry {
  readonly unit: CachedUnit;
  readonly offset: number;
}

export interface TranslationCacheOptions {
  readonly memory: PhysicalMemory;
  readonly region: Region;
  /** Writes to this frame of the guest are to be reported by {@link TranslationCache.written}, or no more. */
  readonly watch: (gpa: number, isWatched: boolean) => void;
}

/** Never an address of code: it is not canonical. */
const noAddress = 1n << 63n;
const jumpNear = 0xe9;
const pageMask = 0xfffn;
/** All of them are looked up again when the guest loads CR3; 8 MiB of a kernel's code in use at once is plenty. */
const pagesMaximum = 2048;

/** A page of guest code as translations found it. */
interface CodePage {
  readonly gpa: number;
  readonly units: Set<CachedUnit>;
}

export class TranslationCache {
  readonly #memory: PhysicalMemory;
  readonly #region: Region;
  readonly #watch: (gpa: number, isWatched: boolean) => void;
  /** In ascending order of offsets; dropped ones stay until eviction. */
  #units: CachedUnit[] = [];
  readonly #entries = new Map<bigint, CacheEntry>();
  readonly #exits = new Map<number, CachedExit>();
  /** By the linear address of the page. */
  readonly #pages = new Map<bigint, CodePage>();
  /** By the number of the guest frame. */
  readonly #frames = new Map<number, Set<CachedUnit>>();
  #used = 0;
  #chains = 0;
  #dropped = 0;
  #evictions = 0;

  constructor({ memory, region, watch }: TranslationCacheOptions) {
    this.#memory = memory;
    this.#region = region;
    this.#watch = watch;
    this.#clearLookups();
  }

  /** Jumps that replaced callouts; units dropped because their code changed; times that all was dropped for want of room. */
  get counts(): { readonly chains: number; readonly dropped: number; readonly evictions: number } {
    return { chains: this.#chains, dropped: this.#dropped, evictions: this.#evictions };
  }

  /** Offset for the next unit. Drops everything first when there is no room for one. */
  reserve(): number {
    const isFull = this.#used + unitBytesMaximum > this.#region.codeBytes;
    if (isFull || this.#pages.size >= pagesMaximum) {
      this.#evictions += 1;
      this.clear();
    }
    return this.#used;
  }

  /** Puts a unit where {@link reserve} said. */
  install(translated: TranslatedUnit): CachedUnit {
    const unit: CachedUnit = { ...translated, isValid: true, chained: new Set() };
    this.#memory.write(this.#region.codeFrame + unit.offset, unit.bytes);
    this.#used = unit.offset + unit.bytes.length;
    this.#units.push(unit);
    for (const exit of unit.exits) {
      this.#exits.set(exit.offset, { unit, exit, to: undefined });
    }
    for (const { guestRip, offset } of ownBoundaries(unit)) {
      if (!this.#entries.has(guestRip)) this.#entries.set(guestRip, { unit, offset });
    }
    for (const { linear, gpa } of unit.sources) {
      this.#note(unit, linear & ~pageMask, gpa - (gpa % 4096));
    }
    return unit;
  }

  /** Code for a guest address. */
  entry(guestRip: bigint): CacheEntry | undefined {
    return this.#entries.get(guestRip);
  }

  /** What the callout at this offset is for. */
  exitAt(offset: number): CachedExit | undefined {
    return this.#exits.get(offset);
  }

  /** The unit that has this offset, and which instruction of the guest is there. */
  placeAt(offset: number): { readonly unit: CachedUnit; readonly place: Place } | undefined {
    const unit = lastAtMost(this.#units, offset);
    if (unit === undefined || offset >= unit.offset + unit.bytes.length) return undefined;
    const place = lastAtMost(unit.places, offset);
    return place === undefined ? undefined : { unit, place };
  }

  /** Jumps to `entry` from now on, instead of calling out. */
  chain(from: CachedExit, entry: CacheEntry): void {
    if (!from.unit.isValid || !entry.unit.isValid || from.exit.kind !== "continuation") return;
    if (from.to !== undefined) return;
    from.to = entry.unit;
    entry.unit.chained.add(from);
    this.#chains += 1;
    const { offset, branchOffset } = from.exit;
    if (branchOffset === undefined) {
      this.#write(offset, Uint8Array.of(jumpNear));
      this.#write(offset + 1, displacement(entry.offset - (offset + 5)));
    } else {
      this.#write(branchOffset, displacement(entry.offset - (branchOffset + 4)));
    }
  }

  /** Lets code in the cache find a guest address by itself. */
  remember(guestRip: bigint, offset: number): void {
    const index = Number(guestRip & BigInt(lookupEntries - 1));
    let at = index;
    for (let probe = 0; probe < lookupProbes; probe += 1) {
      const tag = this.#memory.readU64(this.#lookupAddress(index + probe));
      if (tag !== noAddress && tag !== guestRip) continue;
      at = index + probe;
      break;
    }
    const address = this.#lookupAddress(at);
    this.#memory.writeU64(address, guestRip);
    this.#memory.writeU64(address + 8, this.#region.code + BigInt(offset));
  }

  /** Guest memory changed: what was translated from it is dropped. */
  written(gpa: number, lengthBytes: number): void {
    const units = this.#frames.get(Math.floor(gpa / 4096));
    if (units === undefined) return;
    const end = gpa + lengthBytes;
    for (const unit of units) {
      const hits = unit.sources.some(
        (source) => gpa < source.gpa + source.lengthBytes && end > source.gpa,
      );
      if (hits) this.drop(unit);
    }
  }

  /** Linear pages whose code was translated, and where each was found. */
  get pages(): ReadonlyMap<bigint, { readonly gpa: number }> {
    return this.#pages;
  }

  /** A linear page is no longer where it was found, or no longer there. */
  dropPage(page: bigint): void {
    for (const unit of this.#pages.get(page)?.units ?? []) this.drop(unit);
  }

  /** Takes a unit out: nothing leads into it any more. */
  drop(unit: CachedUnit): void {
    if (!unit.isValid) return;
    unit.isValid = false;
    this.#dropped += 1;
    for (const from of unit.chained) this.#unchain(from);
    unit.chained.clear();
    for (const exit of unit.exits) {
      const cached = this.#exits.get(exit.offset);
      cached?.to?.chained.delete(cached);
    }
    for (const { guestRip } of ownBoundaries(unit)) {
      if (this.#entries.get(guestRip)?.unit === unit) this.#entries.delete(guestRip);
      this.#forget(guestRip, unit);
    }
    for (const { linear, gpa } of unit.sources) this.#unnote(unit, linear & ~pageMask, gpa);
  }

  /** Drops everything. */
  clear(): void {
    for (const frame of this.#frames.keys()) this.#watch(frame * 4096, false);
    for (const unit of this.#units) unit.isValid = false;
    this.#units = [];
    this.#entries.clear();
    this.#exits.clear();
    this.#pages.clear();
    this.#frames.clear();
    this.#used = 0;
    this.#clearLookups();
  }

  #unchain(from: CachedExit): void {
    if (from.exit.kind !== "continuation") return;
    from.to = undefined;
    if (!from.unit.isValid) return;
    const { offset, branchOffset } = from.exit;
    if (branchOffset === undefined) this.#write(offset, calloutBytes);
    else this.#write(branchOffset, displacement(offset - (branchOffset + 4)));
  }

  #note(unit: CachedUnit, page: bigint, gpa: number): void {
    const known = this.#pages.get(page);
    if (known === undefined) this.#pages.set(page, { gpa, units: new Set([unit]) });
    else known.units.add(unit);
    const frame = gpa / 4096;
    const units = this.#frames.get(frame);
    if (units !== undefined) {
      units.add(unit);
      return;
    }
    this.#frames.set(frame, new Set([unit]));
    this.#watch(gpa, true);
  }

  #unnote(unit: CachedUnit, page: bigint, gpa: number): void {
    const known = this.#pages.get(page);
    known?.units.delete(unit);
    if (known?.units.size === 0) this.#pages.delete(page);
    const frame = Math.floor(gpa / 4096);
    const units = this.#frames.get(frame);
    units?.delete(unit);
    if (units?.size !== 0) return;
    this.#frames.delete(frame);
    this.#watch(frame * 4096, false);
  }

  #forget(guestRip: bigint, unit: CachedUnit): void {
    const index = Number(guestRip & BigInt(lookupEntries - 1));
    for (let probe = 0; probe < lookupProbes; probe += 1) {
      const address = this.#lookupAddress(index + probe);
      if (this.#memory.readU64(address) !== guestRip) continue;
      const offset = Number(this.#memory.readU64(address + 8) - this.#region.code);
      if (offset >= unit.offset && offset < unit.offset + unit.bytes.length) {
        this.#memory.writeU64(address, noAddress);
      }
    }
  }

  #clearLookups(): void {
    for (let index = 0; index < lookupEntries + lookupProbes; index += 1) {
      const address = this.#lookupAddress(index);
      this.#memory.writeU64(address, noAddress);
      this.#memory.writeU64(address + 8, noAddress);
    }
  }

  #lookupAddress(index: number): number {
    return this.#region.lookupFrame + index * lookupEntryBytes;
  }

  #write(offset: number, bytes: Uint8Array): void {
    this.#memory.write(this.#region.codeFrame + offset, bytes);
  }
}

/** Places where code of the unit itself can be entered: not those that say where another unit begins. */
function ownBoundaries(unit: CachedUnit): readonly Place[] {
  const instructions = new Map(unit.instructions.map(({ offset, guestRip }) => [offset, guestRip]));
  return unit.places.filter(
    ({ isBoundary, offset, guestRip }) => isBoundary && instructions.get(offset) === guestRip,
  );
}

/** The last of a list in ascending order of offsets that is not above `offset`. */
function lastAtMost<Item extends { readonly offset: number }>(
  items: readonly Item[],
  offset: number,
): Item | undefined {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return items[low - 1];
}
