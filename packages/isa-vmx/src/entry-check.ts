/** What the checks of VM entry share: how one is written, and what it looks at. */
import type { VmxCapabilities } from "./capabilities.ts";
import { findField, FIELD, type FieldKey } from "./fields.ts";
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

  constructor(context: EntryContext, vmcs: Vmcs) {
    this.context = context;
    this.#vmcs = vmcs;
  }

  get(key: FieldKey): bigint {
    return this.#vmcs.get(key);
  }

  /** A field of at most 32 bits. */
  number(key: FieldKey): number {
    return this.#vmcs.number(key);
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

/** The first check that does not hold, explained. */
export function firstFailure(
  view: EntryView,
  stage: EntryFailure["stage"],
  checks: readonly EntryCheck[],
): { readonly failure: EntryFailure; readonly qualification: bigint } | undefined {
  const failed = checks.find((check) => !check.holds(view));
  if (failed === undefined) return undefined;
  const { name, field, expected, reference } = failed;
  const value = view.get(field);
  const words = findField(FIELD[field])?.name ?? field;
  const message = `VM entry failed at its checks of the ${stage}: ${words} (${field}) is 0x${value.toString(16)}. It must ${expected} (${reference}).`;
  return {
    failure: { stage, check: name, field, value, expected, reference, message },
    qualification: failed.qualification ?? 0n,
  };
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
