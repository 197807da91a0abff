/**
 * The guest's kernel code as the cache has it: translated when it is first reached, checked when the guest changes how it
 * translates addresses, translated otherwise when its accesses keep trapping.
 */
import type { GuestMemory, InstructionEmulator } from "@ringside/hypervisor";
import { isCanonical, RFLAGS, slots } from "@ringside/isa";
import type { CacheEntry, CachedUnit, TranslationCache } from "./cache/translation-cache.ts";
import { addTo, type TranslationCounts } from "./counts.ts";
import { hasBreakpoints, instructionBreakpoints } from "./guest-breakpoints.ts";
import type { Region } from "./cache/region.ts";
import { Translator, type FetchedCode } from "./translator/translator.ts";

/** A look at more is never needed for one unit. */
const fetchBytes = 256;
const pageBytes = 4096;
/** An instruction that trapped so often calls out from then on. */
const trapsMaximum = 3;
/** One that called out so often more without need than with is copied again. */
const needlessMaximum = 8;
/** It then takes so many times as many traps until it calls out once more. */
const patience = 8;
/** Instructions that are remembered for having trapped: a kernel has some hundreds. */
const trappingMaximum = 4096;
/** With more parts of the address space in doubt, every page is. */
const doubtsMaximum = 64;
/** Bits of RFLAGS that translated code takes for 0. */
const unusualFlags = RFLAGS.IOPL | RFLAGS.NT;
/** What one level-3 entry maps: INVLPG may drop a page of that size. */
const largestPageShift = 30n;

interface Trapping {
  /** Since it was copied last. */
  traps: number;
  /** So many make it call out. */
  trapsMaximum: number;
  /** It calls out. */
  isAdapted: boolean;
  /** Callouts without need less those with. */
  needless: number;
}

export interface CodeSpaceOptions {
  readonly region: Region;
  readonly cache: TranslationCache;
  readonly counts: TranslationCounts;
  readonly emulator: InstructionEmulator;
  readonly memory: GuestMemory;
}

export class CodeSpace {
  readonly #cache: TranslationCache;
  readonly #translator: Translator;
  readonly #counts: TranslationCounts;
  readonly #emulator: InstructionEmulator;
  readonly #memory: GuestMemory;
  readonly #trapping = new Map<bigint, Trapping>();
  /** What to look up again before translated code goes on: everything, or pages by their address in largest pages. */
  #doubts: "all" | Set<bigint> = new Set();

  constructor({ region, cache, counts, emulator, memory }: CodeSpaceOptions) {
    this.#cache = cache;
    this.#counts = counts;
    this.#emulator = emulator;
    this.#memory = memory;
    this.#translator = new Translator({
      region,
      fetch: (linear) => this.#fetch(linear),
      isTrapping: (guestRip) => this.#trapping.get(guestRip)?.isAdapted ?? false,
      hasBreakpoint: (rip) =>
        hasBreakpoints(emulator.state) && instructionBreakpoints(emulator.state, rip) !== 0n,
      hasUnusualFlags: () => this.hasUnusualFlags,
    });
  }

  /** Whether the guest has IOPL or NT set. */
  get hasUnusualFlags(): boolean {
    return (this.#emulator.state.get(slots.flagsSystem) & unusualFlags) !== 0n;
  }

  /** Code for a guest address, translated if it has to be; undefined when it cannot be fetched. */
  entry(guestRip: bigint): CacheEntry | undefined {
    return this.#cache.entry(guestRip) ?? this.#translate(guestRip);
  }

  #translate(guestRip: bigint): CacheEntry | undefined {
    const translated = this.#translator.translate(guestRip, this.#cache.reserve());
    if (translated === undefined) return undefined;
    const unit = this.#cache.install(translated);
    this.#counts.units += 1;
    this.#counts.instructions += unit.instructions.length;
    for (const { treatment } of unit.instructions) addTo(this.#counts.treatments, treatment);
    return { unit, offset: unit.offset };
  }

  /** The guest said that a translation is stale. */
  doubtPage(linear: bigint): void {
    if (this.#doubts === "all") return;
    this.#doubts.add(linear >> largestPageShift);
    // Nobody settles them while the guest is emulated step by step, or runs without translation.
    if (this.#doubts.size > doubtsMaximum) this.#doubts = "all";
  }

  /** The guest said that all translations are stale. */
  doubtAll(): void {
    this.#doubts = "all";
  }

  /** Whether the guest has said that translations are stale, and {@link settleDoubts} has not been called since. */
  get hasDoubts(): boolean {
    return this.#doubts === "all" || this.#doubts.size > 0;
  }

  /** Drops code of pages that are no longer where they were. To be called before translated code goes on. */
  settleDoubts(): void {
    const doubts = this.#doubts;
    if (!this.hasDoubts) return;
    this.#doubts = new Set();
    for (const [page, { gpa }] of [...this.#cache.pages]) {
      if (doubts !== "all" && !doubts.has(page >> largestPageShift)) continue;
      const walked = this.#emulator.walk(page, { execute: true });
      if (walked.kind === "fault" || walked.physical !== gpa) this.#cache.dropPage(page);
    }
  }

  /** Code at a linear address, by the guest's own tables. */
  #fetch(linear: bigint): FetchedCode | undefined {
    if (!isCanonical(linear)) return undefined;
    const walked = this.#emulator.walk(linear, { execute: true });
    if (walked.kind === "fault" || !this.#memory.isRam(walked.physical)) return undefined;
    const gpa = walked.physical;
    const lengthBytes = Math.min(fetchBytes, pageBytes - (gpa % pageBytes));
    // What a fetch costs is part of what an instruction costs to translate.
    return { gpa, bytes: this.#memory.peek(gpa, lengthBytes) };
  }

  /** An access of a copied instruction trapped: to a traced page, or a device. */
  noteTrap(guestRip: bigint, unit: CachedUnit): void {
    const instruction = unit.instructions.find((each) => each.guestRip === guestRip);
    // Of a repeated instruction each iteration would call out, and most of them need not.
    if (instruction?.isRepeated !== false) return;
    const known = this.#trapping.get(guestRip);
    const trapping = known ?? { traps: 0, trapsMaximum, isAdapted: false, needless: 0 };
    if (known === undefined) this.#remember(guestRip, trapping);
    trapping.traps += 1;
    if (trapping.traps < trapping.trapsMaximum) return;
    trapping.isAdapted = true;
    this.#retranslate(unit);
  }

  #remember(guestRip: bigint, trapping: Trapping): void {
    if (this.#trapping.size >= trappingMaximum) {
      // The oldest. Code that calls out for it goes on doing so, which is right, if slow.
      for (const oldest of this.#trapping.keys()) {
        this.#trapping.delete(oldest);
        break;
      }
    }
    this.#trapping.set(guestRip, trapping);
  }

  /** An instruction that calls out because it trapped made an access that would have trapped, or not. */
  noteCallout(guestRip: bigint, wasNeeded: boolean, unit: CachedUnit): void {
    const trapping = this.#trapping.get(guestRip);
    if (trapping === undefined || !trapping.isAdapted) return;
    trapping.needless = Math.max(0, trapping.needless + (wasNeeded ? -1 : 1));
    if (trapping.needless < needlessMaximum) return;
    trapping.isAdapted = false;
    trapping.needless = 0;
    trapping.traps = 0;
    trapping.trapsMaximum *= patience;
    this.#retranslate(unit);
  }

  /** Other units with the same instruction follow when it traps in them. */
  #retranslate(unit: CachedUnit): void {
    this.#counts.retranslations += 1;
    this.#cache.drop(unit);
  }
}
