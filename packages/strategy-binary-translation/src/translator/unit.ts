/** What translation makes: units of code, with all that is needed to find the guest's state again. */

/** A guest register whose value is in a slot of the virtual CPU for a while. */
export interface Spill {
  /** General register 0 to 15. */
  readonly register: number;
  readonly slot: "rax" | "rcx" | "rdx" | "other";
}

/**
 * Where in a unit which instruction of the guest is. It holds from {@link offset} up to the next place.
 *
 * At a boundary all registers are the guest's, and the instruction has not begun: interrupts are taken there, and
 * code can be entered there. Elsewhere only a fault can stop, and the guest's registers are as before the
 * instruction once what is spilled is put back.
 */
export interface Place {
  /** Bytes from the start of the translation cache. */
  readonly offset: number;
  readonly guestRip: bigint;
  readonly isBoundary: boolean;
  readonly spilled: readonly Spill[];
}

/** Why a unit calls out. */
export type UnitExit =
  /** A direct branch whose target is not translated yet, or was dropped. */
  | {
      readonly kind: "continuation";
      readonly offset: number;
      readonly target: bigint;
      /** Where the 32-bit displacement of a conditional branch to this exit lies, when there is one. */
      readonly branchOffset: number | undefined;
    }
  /** An indirect branch that the lookup table did not know. */
  | {
      readonly kind: "lookup";
      readonly offset: number;
      readonly guestRip: bigint;
      /** What the branch has added to RSP, should its target turn out to be impossible. */
      readonly stackBytes: bigint;
    }
  /** An instruction that the hypervisor executes. */
  | {
      readonly kind: "emulate";
      readonly offset: number;
      readonly guestRip: bigint;
      readonly mnemonic: string;
      /** The instruction; undefined when there is none. */
      readonly code: Uint8Array | undefined;
    }
  /** A breakpoint of the guest is on the instruction here. */
  | { readonly kind: "breakpoint"; readonly offset: number; readonly guestRip: bigint }
  /** Interrupts were opened, and something waits. */
  | { readonly kind: "pending"; readonly offset: number; readonly next: bigint };

/** How one instruction was translated, for people. */
export interface TranslatedInstruction {
  readonly guestRip: bigint;
  readonly bytes: Uint8Array;
  /** Where its translation begins in the cache. */
  readonly offset: number;
  readonly treatment: string;
  /** It has a REP prefix. */
  readonly isRepeated: boolean;
  readonly why: string;
}

/** Part of guest-physical memory that a unit was made from, inside one frame. */
export interface SourceRange {
  /** Linear address of the first byte. */
  readonly linear: bigint;
  readonly gpa: number;
  readonly lengthBytes: number;
}

/** Translated code that lies in the cache from `offset`. */
export interface TranslatedUnit {
  readonly guestRip: bigint;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** In ascending order of offsets; the first is at {@link offset}. */
  readonly places: readonly Place[];
  readonly exits: readonly UnitExit[];
  readonly sources: readonly SourceRange[];
  readonly instructions: readonly TranslatedInstruction[];
}
