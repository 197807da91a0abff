/**
 * The translator: guest code in, a unit for the cache out.
 *
 * Binary, on demand, and without assumptions about the guest's code but what the processor itself assumes. A unit ends
 * after 12 instructions, at a branch, or before bytes that cannot be fetched or decoded.
 */
import { decode, isDecodeFault, type Decoded } from "@ringside/isa";
import type { Region } from "../cache/region.ts";
import { emitDirect, emitIndirect, emitReturn } from "./control-flow.ts";
import { emitInCache, emitPendingCheck, type GuestPlace } from "./in-cache.ts";
import { emitRipRelative } from "./memory-operand.ts";
import { Sequences } from "./sequences.ts";
import { treatmentOf, treatmentReasons, type Treatment } from "./treatment.ts";
import { UnitBuilder } from "./unit-builder.ts";
import type { SourceRange, TranslatedUnit } from "./unit.ts";

/** Instructions of the guest in one unit, but for one that an STI drags in. */
export const unitInstructions = 12;
/** No unit is longer. */
export const unitBytesMaximum = 4096;

/** Code of the guest as it lies in one frame. */
export interface FetchedCode {
  readonly gpa: number;
  /** At least one byte, up to the end of the page. */
  readonly bytes: Uint8Array;
}

export interface TranslatorOptions {
  readonly region: Region;
  /** Code at a linear address, by the guest's own tables; undefined when it cannot be fetched. */
  readonly fetch: (linear: bigint) => FetchedCode | undefined;
  /** Whether the access of the instruction at this address has trapped so often that it is to call out. */
  readonly isTrapping: (guestRip: bigint) => boolean;
  /** Whether the guest has a breakpoint on the instruction at this address. */
  readonly hasBreakpoint: (guestRip: bigint) => boolean;
  /** Whether the guest has any of IOPL and NT set: then its flags are the hypervisor's business. */
  readonly hasUnusualFlags: () => boolean;
}

const maximumInstructionBytes = 15;

/** An instruction of the guest, decoded. */
interface Fetched {
  readonly decoded: Decoded;
  readonly bytes: Uint8Array;
}

export class Translator {
  readonly #options: TranslatorOptions;
  readonly #sequences: Sequences;

  constructor(options: TranslatorOptions) {
    this.#options = options;
    this.#sequences = new Sequences(options.region);
  }

  /**
   * Translates from `guestRip`.
   *
   * @param offset Where in the cache the unit will lie.
   * @returns undefined when the first byte cannot be fetched: the guest is to see that fault.
   */
  translate(guestRip: bigint, offset: number): TranslatedUnit | undefined {
    const source = new Source(this.#options.fetch);
    if (source.at(guestRip) === undefined) return undefined;
    const unit = new UnitBuilder(this.#options.region, this.#sequences, offset);
    this.#fill(unit, source, guestRip);
    unit.finish();
    return {
      guestRip,
      offset,
      bytes: unit.bytes,
      places: unit.places.toSorted((a, b) => a.offset - b.offset),
      exits: unit.exits,
      sources: source.ranges,
      instructions: unit.instructions,
    };
  }

  #fill(unit: UnitBuilder, source: Source, start: bigint): void {
    let rip = start;
    /** The instruction before was an STI: interrupts open behind this one. */
    let opens = false;
    for (let count = 0; count < unitInstructions || opens; count += 1) {
      if (this.#options.hasBreakpoint(rip)) {
        if (count === 0) this.#stopFor(unit, rip);
        else unit.continueAt(rip);
        return;
      }
      const fetched = source.instruction(rip);
      if (fetched === undefined) {
        // Fetching on from here is a fault of its own, if the guest gets there.
        if (count === 0) this.#callOutForNothing(unit, rip);
        else unit.continueAt(rip);
        return;
      }
      const { decoded, bytes } = fetched;
      const next = BigInt.asUintN(64, rip + BigInt(decoded.lengthBytes));
      const treatment = this.#treatmentOf(fetched, source, rip, next);
      unit.boundary(rip);
      const offset = unit.offset;
      const used = this.#emit(unit, fetched, treatment.kind, { code: bytes, guestRip: rip, next });
      unit.instructions.push({
        guestRip: rip,
        bytes,
        offset,
        treatment: used,
        isRepeated: decoded.form.repeat !== "none",
        why: used === treatment.kind ? treatment.why : treatmentReasons[used],
      });
      // What runs on in the cache does not end there, even where the instruction itself would end a run.
      const isOver = used === "callout" && decoded.form.instruction.ends === true;
      if (isOver || branches.has(used)) return;
      if (opens) emitPendingCheck(unit, next);
      opens = used === "in-cache" && decoded.form.mnemonic === "sti";
      rip = next;
    }
    unit.continueAt(rip);
  }

  /** Emits one instruction. @returns What was done, which may be less than what was meant. */
  #emit(
    unit: UnitBuilder,
    { decoded, bytes }: Fetched,
    treatment: Treatment,
    place: GuestPlace,
  ): Treatment {
    switch (treatment) {
      case "copy":
        unit.append(bytes);
        return treatment;
      case "rip-relative":
        if (emitRipRelative(unit, decoded, place)) return treatment;
        this.#callOut(unit, place.guestRip, decoded, bytes);
        return "callout";
      case "jump":
      case "branch":
      case "loop":
      case "call":
        emitDirect(unit, decoded, treatment, place);
        return treatment;
      case "jump-indirect":
      case "call-indirect":
        emitIndirect(unit, decoded, treatment, place);
        return treatment;
      case "return":
        emitReturn(unit, decoded, place);
        return treatment;
      case "in-cache":
        emitInCache(unit, decoded, place);
        return treatment;
      case "callout":
        this.#callOut(unit, place.guestRip, decoded, bytes);
        return treatment;
    }
  }

  #callOut(unit: UnitBuilder, guestRip: bigint, { form }: Decoded, code: Uint8Array): void {
    unit.callout({ kind: "emulate", guestRip, mnemonic: form.instruction.mnemonic, code });
  }

  #stopFor(unit: UnitBuilder, guestRip: bigint): void {
    this.#standIn(unit, guestRip, "the guest has a breakpoint here");
    unit.callout({ kind: "breakpoint", guestRip });
  }

  /** Bytes that are no instruction: whoever executes them says which fault that is. */
  #callOutForNothing(unit: UnitBuilder, guestRip: bigint): void {
    this.#standIn(
      unit,
      guestRip,
      "no instruction, or not all of it can be fetched: the hypervisor finds the fault",
    );
    unit.callout({ kind: "emulate", guestRip, mnemonic: "undefined", code: undefined });
  }

  /** The callout that follows is all that there is of the guest's code. */
  #standIn(unit: UnitBuilder, guestRip: bigint, why: string): void {
    unit.boundary(guestRip);
    unit.instructions.push({
      guestRip,
      bytes: new Uint8Array(0),
      offset: unit.offset,
      treatment: "callout",
      isRepeated: false,
      why,
    });
  }

  #treatmentOf(
    { decoded }: Fetched,
    source: Source,
    rip: bigint,
    next: bigint,
  ): { readonly kind: Treatment; readonly why: string } {
    const kind = treatmentOf(decoded);
    const { mnemonic } = decoded.form;
    if (this.#options.isTrapping(rip)) {
      return { kind: "callout", why: "its accesses kept trapping: the hypervisor makes them" };
    }
    if ((mnemonic === "pushfq" || mnemonic === "popfq") && this.#options.hasUnusualFlags()) {
      return { kind: "callout", why: "the guest has IOPL or NT set" };
    }
    if (mnemonic === "sti" && !this.#mayFollowSti(source, next)) {
      return { kind: "callout", why: "the instruction behind leaves the unit" };
    }
    return { kind, why: treatmentReasons[kind] };
  }

  /** Whether the code can go on behind the instruction at `rip`, so that the check for interrupts can stand there. */
  #mayFollowSti(source: Source, rip: bigint): boolean {
    const fetched = source.instruction(rip);
    if (fetched === undefined) return false;
    const { decoded } = fetched;
    // HLT leaves for the hypervisor, which looks by itself.
    if (decoded.form.mnemonic === "hlt") return true;
    const treatment = treatmentOf(decoded);
    const isOver = treatment === "callout" && decoded.form.instruction.ends === true;
    return !isOver && !branches.has(treatment);
  }
}

const branches: ReadonlySet<Treatment> = new Set([
  "jump",
  "branch",
  "loop",
  "call",
  "jump-indirect",
  "call-indirect",
  "return",
]);

/** The guest's code from one address on, and what of it was looked at. */
class Source {
  readonly #fetch: (linear: bigint) => FetchedCode | undefined;
  readonly #pages = new Map<bigint, FetchedCode | undefined>();
  readonly #seen = new Map<bigint, SourceRange>();

  constructor(fetch: (linear: bigint) => FetchedCode | undefined) {
    this.#fetch = fetch;
  }

  get ranges(): readonly SourceRange[] {
    return [...this.#seen.values()];
  }

  /** What is mapped from `linear` to the end of its page. */
  at(linear: bigint): FetchedCode | undefined {
    const page = linear & ~0xfffn;
    const known = this.#pages.get(page);
    if (known === undefined && !this.#pages.has(page)) {
      const fetched = this.#fetch(linear);
      this.#pages.set(page, fetched);
      if (fetched === undefined) return undefined;
      // Only what lies behind the first fetch is ever asked for.
      this.#starts.set(page, linear);
      return fetched;
    }
    if (known === undefined) return undefined;
    const skipped = Number(linear - (this.#starts.get(page) ?? linear));
    return { gpa: known.gpa + skipped, bytes: known.bytes.subarray(skipped) };
  }

  readonly #starts = new Map<bigint, bigint>();

  /** The instruction at `rip`; undefined when it cannot be fetched or is none. Its bytes count as looked at. */
  instruction(rip: bigint): Fetched | undefined {
    const here = this.at(rip);
    if (here === undefined) return undefined;
    let window = here.bytes.subarray(0, maximumInstructionBytes);
    const crosses = here.bytes.length < maximumInstructionBytes;
    let decoded = decode(window, 0, { mode: 64 });
    if (isDecodeFault(decoded) && decoded.fault === "more" && crosses) {
      const there = this.at(BigInt.asUintN(64, rip + BigInt(here.bytes.length)));
      if (there === undefined) return undefined;
      window = Uint8Array.of(
        ...window,
        ...there.bytes.subarray(0, maximumInstructionBytes - window.length),
      );
      decoded = decode(window, 0, { mode: 64 });
    }
    const length = isDecodeFault(decoded) ? window.length : decoded.lengthBytes;
    this.#look(rip, length);
    return isDecodeFault(decoded) ? undefined : { decoded, bytes: window.slice(0, length) };
  }

  #look(from: bigint, lengthBytes: number): void {
    for (let done = 0; done < lengthBytes;) {
      const linear = BigInt.asUintN(64, from + BigInt(done));
      const code = this.at(linear);
      if (code === undefined) return;
      const part = Math.min(lengthBytes - done, code.bytes.length);
      const page = linear & ~0xfffn;
      const known = this.#seen.get(page);
      const first = known === undefined || linear < known.linear ? linear : known.linear;
      const end = linear + BigInt(part);
      const last =
        known === undefined || end > known.linear + BigInt(known.lengthBytes)
          ? end
          : known.linear + BigInt(known.lengthBytes);
      const gpa = known === undefined || linear < known.linear ? code.gpa : known.gpa;
      this.#seen.set(page, { linear: first, gpa, lengthBytes: Number(last - first) });
      done += part;
    }
  }
}
