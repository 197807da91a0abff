/** What the checks of VM entry share: how one is written, and what it looks at. */
import { isCanonical } from "@ringside/isa";
import type { VmxCapabilities } from "./capabilities.ts";
import { SECONDARY } from "./controls.ts";
import { FIELDS, fieldOf, type FieldKey, type VmcsField } from "./fields.ts";
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

/** What the processor says of itself, for the checks. It does not change. */
export interface EntryContext {
  readonly capabilities: VmxCapabilities;
  readonly memory: GuardedMemory;
  /** Bits 63:MAXPHYADDR. */
  readonly physicalReserved: bigint;
  readonly cr4Allowed: bigint;
  readonly eferAllowed: bigint;
}

/**
 * One bit of a field that many checks look at while its other bits change at each exit.
 *
 * It counts as a field of its own, behind those of the table.
 */
export interface Facet {
  readonly field: VmcsField;
  readonly bit: number;
  readonly index: number;
}

/** RFLAGS.VM: virtual-8086 mode. */
export const VIRTUAL_8086: Facet = {
  field: fieldOf("GUEST_RFLAGS"),
  bit: 0x2_0000,
  index: FIELDS.length,
};
export const FACETS: readonly Facet[] = [VIRTUAL_8086];

/** A VMCS as the checks see it: it notes which fields a check looks at. */
export class EntryView {
  readonly context: EntryContext;
  readonly vmcs: Vmcs;
  /** Whether root operation is in IA-32e mode; a monitor in TypeScript always is. */
  readonly rootIsLong: boolean;
  /** Numbers of the fields and facets that were looked at. */
  readonly touched: number[] = [];
  readsMemory = false;

  constructor(context: EntryContext, vmcs: Vmcs, rootIsLong: boolean) {
    this.context = context;
    this.vmcs = vmcs;
    this.rootIsLong = rootIsLong;
  }

  get(key: FieldKey): bigint {
    const field = fieldOf(key);
    this.touched.push(field.index);
    return this.vmcs.read(field);
  }

  /** A field of at most 32 bits, or the low half of a wider one. */
  number(key: FieldKey): number {
    this.touched.push(fieldOf(key).index);
    return this.vmcs.number(key);
  }

  has({ field, bit, index }: Facet): boolean {
    this.touched.push(index);
    return (this.vmcs.low(field) & bit) !== 0;
  }

  /** Physical memory that fields point to. */
  get memory(): GuardedMemory {
    this.readsMemory = true;
    return this.context.memory;
  }

  /** Address of the current VMCS, which no field holds. */
  get currentRegion(): bigint {
    this.readsMemory = true;
    return BigInt(this.vmcs.region);
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

  /** Whether the guest may be outside protected mode, and without paging. */
  get isUnrestricted(): boolean {
    return this.hasSecondary(SECONDARY.UNRESTRICTED_GUEST);
  }

  /** Whether an address has no bits beyond the processor's physical-address width, and is aligned. */
  isPhysical(physical: bigint, alignment: bigint = 1n): boolean {
    return (physical & this.context.physicalReserved) === 0n && physical % alignment === 0n;
  }
}

/** A check that does not hold, in words. */
export function explain(
  view: EntryView,
  stage: EntryFailure["stage"],
  { name, field, expected, reference }: EntryCheck,
): EntryFailure {
  const value = view.get(field);
  const message = `VM entry failed at its checks of the ${stage}: ${fieldOf(field).name} (${field}) is 0x${value.toString(16)}. It must ${expected} (${reference}).`;
  return { stage, check: name, field, value, expected, reference, message };
}

/** Whether each byte of a PAT is a memory type: 0, 1, 4, 5, 6 or 7. */
export function isPat(value: bigint): boolean {
  for (let shift = 0n; shift < 64n; shift += 8n) {
    const type = (value >> shift) & 0xffn;
    if (type > 7n || type === 2n || type === 3n) return false;
  }
  return true;
}

/** That a field holds a canonical address. */
export function canonical(name: string, field: FieldKey, reference: string): EntryCheck {
  return {
    name,
    field,
    reference,
    expected: "contain a canonical address",
    holds: (view) => isCanonical(view.get(field)),
  };
}
