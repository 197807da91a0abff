/**
 * Which checks of VM entry have to be held again.
 *
 * A check that held still holds when no field that it looked at has changed, so that entries one after another repeat
 * only the checks of what the hypervisor or the guest changed. Which fields a check looks at is noted when it is held.
 * Checks that look at other memory are held each time. Nothing here is state: without it, all are held again.
 */
import { controlChecks } from "./control-checks.ts";
import { explain, FACETS, type EntryCheck, type EntryView } from "./entry-check.ts";
import { FIELDS } from "./fields.ts";
import { guestChecks } from "./guest-checks.ts";
import { hostChecks } from "./host-checks.ts";
import { FIELD_WORDS } from "./vmcs.ts";
import type { EntryFailure } from "./vmx-control.ts";

/** A check that did not hold. */
export interface FailedCheck {
  readonly failure: EntryFailure;
  /** Of a failed VM entry. */
  readonly qualification: bigint;
}

interface StagedCheck {
  readonly stage: EntryFailure["stage"];
  readonly check: EntryCheck;
}

const staged = (stage: EntryFailure["stage"], checks: readonly EntryCheck[]): StagedCheck[] =>
  checks.map((check) => ({ stage, check }));

/** All of them, in the manual's order. */
const CHECKS: readonly StagedCheck[] = [
  ...staged("controls", controlChecks),
  ...staged("host-state", hostChecks),
  ...staged("guest-state", guestChecks),
];
/** Words of a set of checks: one bit each. */
const SET_WORDS: number = Math.ceil(CHECKS.length / 32);

export class CheckMemory {
  /** The fields as they were when all checks held. */
  readonly #last: Uint32Array = new Uint32Array(FIELD_WORDS);
  #hasHeld = false;
  #rootIsLong = false;
  /** By field, and behind them by facet, the set of checks that have looked at it. */
  readonly #dependents: Uint32Array = new Uint32Array((FIELDS.length + FACETS.length) * SET_WORDS);
  /** Checks that look at memory. */
  readonly #always: Uint32Array = new Uint32Array(SET_WORDS);
  readonly #pending: Uint32Array = new Uint32Array(SET_WORDS);

  /** Holds all checks whose outcome may have changed; gives the first that does not hold. */
  firstFailure(view: EntryView): FailedCheck | undefined {
    this.#begin(view);
    for (let word = 0; word < SET_WORDS; word += 1) {
      for (let bits = this.#pending[word] ?? 0; bits !== 0; bits &= bits - 1) {
        const position = word * 32 + 31 - Math.clz32(bits & -bits);
        const failed = this.#hold(view, position);
        if (failed === undefined) continue;
        // What comes behind it was not looked at.
        this.#hasHeld = false;
        return failed;
      }
    }
    this.#hasHeld = true;
    return undefined;
  }

  /** Notes what has changed since all checks held. */
  #begin({ vmcs: { words }, rootIsLong }: EntryView): void {
    const isKnown = this.#hasHeld && rootIsLong === this.#rootIsLong;
    if (!isKnown) {
      this.#rootIsLong = rootIsLong;
      this.#last.set(words);
      for (let position = 0; position < CHECKS.length; position += 1)
        include(this.#pending, 0, position);
      return;
    }
    this.#pending.set(this.#always);
    for (let at = 0; at < FIELD_WORDS; at += 1) {
      const now = words[at] ?? 0;
      const changed = now ^ (this.#last[at] ?? 0);
      if (changed === 0) continue;
      this.#last[at] = now;
      this.#addDependents(at >> 1);
      for (const { field, bit, index } of FACETS)
        if (at === field.index * 2 && (changed & bit) !== 0) this.#addDependents(index);
    }
  }

  #addDependents(index: number): void {
    const from = index * SET_WORDS;
    for (let word = 0; word < SET_WORDS; word += 1)
      this.#pending[word] = (this.#pending[word] ?? 0) | (this.#dependents[from + word] ?? 0);
  }

  #hold(view: EntryView, position: number): FailedCheck | undefined {
    const place = CHECKS[position];
    if (place === undefined) return undefined;
    const { stage, check } = place;
    const { touched } = view;
    touched.length = 0;
    view.readsMemory = false;
    const holds = check.holds(view);
    for (const field of touched) include(this.#dependents, field * SET_WORDS, position);
    if (view.readsMemory) include(this.#always, 0, position);
    if (holds) return undefined;
    return { failure: explain(view, stage, check), qualification: check.qualification ?? 0n };
  }
}

/** Adds a check to the set that begins at word `from`. */
function include(sets: Uint32Array, from: number, position: number): void {
  const at = from + (position >> 5);
  sets[at] = (sets[at] ?? 0) | (1 << (position & 31));
}
