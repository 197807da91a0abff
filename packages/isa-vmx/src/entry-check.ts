/** What the checks of VM entry share: how one is written, and what it looks at. */
import type { VmxCapabilities } from "./capabilities.ts";
import { FIELDS, fieldIndex, fieldOf, type FieldKey } from "./fields.ts";
import type { GuardedMemory, Vmcs } from "./vmcs.ts";
import type { EntryFailure } from "./vmx-control.ts";

/** One check. They are held in the manual's order, and the first that does not hold decides. */
export interface EntryCheck {
  /** Kebab-case, unique. */
  readonly name: string;
  /** The field that is to blame. */
  readonly field: FieldKey;
  /** What the field must be: the end of a sentence that begins with its name. */
  readonly expected: string;
  readonly reference: string;
  readonly holds: (view: EntryView) => boolean;
  /** Exit qualification of a failed VM entry, where it is not 0. */
  readonly qualification?: bigint;
}

/** What the processor says of itself, for the checks. */
export interface EntryContext {
  readonly capabilities: VmxCapabilities;
  readonly memory: GuardedMemory;
  /** Bits 63:MAXPHYADDR. */
  readonly physicalReserved: bigint;
  readonly cr4Allowed: bigint;
  readonly eferAllowed: bigint;
  /** Whether root operation is in IA-32e mode; a monitor in TypeScript always is. */
  readonly rootIsLong: boolean;
}

/** A VMCS as the checks see it. */
export class EntryView {
  readonly context: EntryContext;
  readonly #vmcs: Vmcs;
  #touched: number[] = [];
  #readsMemory = false;

  constructor(context: EntryContext, vmcs: Vmcs) {
    this.context = context;
    this.#vmcs = vmcs;
  }

  get(key: FieldKey): bigint {
    const field = fieldOf(key);
    this.#touched.push(fieldIndex(field));
    return this.#vmcs.read(field);
  }

  /** A field of at most 32 bits. */
  number(key: FieldKey): number {
    return Number(this.get(key) & 0xffff_ffffn);
  }

  /** Physical memory that fields point to. */
  get memory(): GuardedMemory {
    this.#readsMemory = true;
    return this.context.memory;
  }

  /** Holds a check, and gives the fields that it looked at; undefined where it looked at memory, too. */
  observe(check: EntryCheck): {
    readonly holds: boolean;
    readonly fields: readonly number[] | undefined;
  } {
    this.#touched = [];
    this.#readsMemory = false;
    const holds = check.holds(this);
    return { holds, fields: this.#readsMemory ? undefined : this.#touched };
  }

  /** All fields, in the order of their table. */
  values(): readonly bigint[] {
    return FIELDS.map((field) => this.#vmcs.read(field));
  }

  /** Whether one of a control field's bits is 1. The secondary controls are 0 unless they are activated. */
  control(key: FieldKey, bit: number): boolean {
    return (this.number(key) & bit) !== 0;
  }

  get secondary(): number {
    return (this.number("PRIMARY_CONTROLS") & 0x8000_0000) === 0
      ? 0
      : this.number("SECONDARY_CONTROLS");
  }

  hasSecondary(bit: number): boolean {
    return (this.secondary & bit) !== 0;
  }

  /** Whether an address has no bits beyond the processor's physical-address width, and is aligned. */
  isPhysical(physical: bigint, alignment: bigint = 1n): boolean {
    return (physical & this.context.physicalReserved) === 0n && physical % alignment === 0n;
  }
}

/**
 * What the checks of the last entry looked at.
 *
 * A check that held still holds when no field that it looked at has changed, so that entries one after another repeat
 * only the checks of what the hypervisor or the guest changed. Nothing here is state: without it, all are held again.
 */
export class CheckMemory {
  #values: readonly bigint[] = [];
  #held = new Map<EntryCheck, readonly number[]>();
  #changed: readonly boolean[] = [];
  #region = -1;
  #rootIsLong = false;

  /** Begins an entry: notes what has changed since the last one. */
  begin(view: EntryView, region: number): void {
    const values = view.values();
    const isSame = region === this.#region && view.context.rootIsLong === this.#rootIsLong;
    if (!isSame) this.forget();
    this.#region = region;
    this.#rootIsLong = view.context.rootIsLong;
    this.#changed = values.map((value, index) => value !== this.#values[index]);
    this.#values = values;
  }

  /** Whether a check needs not be held again. */
  stillHolds(check: EntryCheck): boolean {
    const fields = this.#held.get(check);
    return fields !== undefined && fields.every((index) => this.#changed[index] === false);
  }

  note(check: EntryCheck, fields: readonly number[] | undefined): void {
    if (fields === undefined) this.#held.delete(check);
    else this.#held.set(check, [...new Set(fields)]);
  }

  /** After a check that did not hold: what comes behind it was not looked at. */
  forget(): void {
    this.#held.clear();
    this.#values = [];
  }
}

/** The first check that does not hold, explained. */
export function firstFailure(
  view: EntryView,
  stage: EntryFailure["stage"],
  checks: readonly EntryCheck[],
  memory: CheckMemory,
): { readonly failure: EntryFailure; readonly qualification: bigint } | undefined {
  for (const check of checks) {
    if (memory.stillHolds(check)) continue;
    const { holds, fields } = view.observe(check);
    if (holds) {
      memory.note(check, fields);
      continue;
    }
    memory.forget();
    return { failure: explain(view, stage, check), qualification: check.qualification ?? 0n };
  }
  return undefined;
}

function explain(
  view: EntryView,
  stage: EntryFailure["stage"],
  { name, field, expected, reference }: EntryCheck,
): EntryFailure {
  const value = view.get(field);
  const message = `VM entry failed at its checks of the ${stage}: ${fieldOf(field).name} (${field}) is 0x${value.toString(16)}. It must ${expected} (${reference}).`;
  return { stage, check: name, field, value, expected, reference, message };
}

/** Whether bits 63:47 of a linear address are alike. */
export function isCanonical(linear: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, linear)) === linear;
}

/** Whether each byte of a PAT is a memory type: 0, 1, 4, 5, 6 or 7. */
export function isPat(value: bigint): boolean {
  for (let shift = 0n; shift < 64n; shift += 8n) {
    const type = (value >> shift) & 0xffn;
    if (type > 7n || type === 2n || type === 3n) return false;
  }
  return true;
}
