/**
 * The memory type range registers (MTRRs), as stored state: memory is always coherent here, so types mean nothing.
 *
 * Intel SDM Vol. 3A §12.11, "Memory Type Range Registers (MTRRs)".
 */
import { MTRR_OFFSET, slots, type Slot } from "../state/layout.ts";

/** Pairs of base and mask. */
const VARIABLE_RANGES = 8;
const FIRST_VARIABLE = 0x200;
/** MTRRfix64K, two MTRRfix16K and eight MTRRfix4K. */
const FIXED = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
const DEFAULT_TYPE = 0x2ff;
/** IA32_MTRRCAP: the number of variable ranges, fixed ranges, write-combining. */
export const MTRR_CAPABILITIES: bigint = BigInt(VARIABLE_RANGES) | 0x500n;

/** A range register, and what may be written to it. */
export interface RangeRegister {
  readonly index: number;
  readonly name: string;
  readonly slot: Slot;
  readonly isValid: (value: bigint, physicalAddressBits: number) => boolean;
}

/** UC, WC, WT, WP and WB. Intel SDM Vol. 3A, table "Memory Types That Can Be Encoded in MTRRs". */
function isType(type: bigint): boolean {
  return type === 0n || type === 1n || (type >= 4n && type <= 6n);
}

function areTypes(value: bigint): boolean {
  for (let field = 0n; field < 8n; field += 1n)
    if (!isType((value >> (field * 8n)) & 0xffn)) return false;
  return true;
}

function fits(value: bigint, physicalAddressBits: number): boolean {
  return value >> BigInt(physicalAddressBits) === 0n;
}

/** Type 7:0, fixed ranges enabled 10, enabled 11. */
function isDefaultType(value: bigint): boolean {
  return (value & ~0xcffn) === 0n && isType(value & 0xffn);
}

function slotAt(position: number): Slot {
  return { offset: MTRR_OFFSET + position * 8, bytes: 8 };
}

/** All of them but IA32_MTRRCAP. */
export const rangeRegisters: readonly RangeRegister[] = [
  {
    index: DEFAULT_TYPE,
    name: "IA32_MTRR_DEF_TYPE",
    slot: slots.mtrrDefaultType,
    isValid: isDefaultType,
  },
  ...FIXED.map((index, position) => ({
    index,
    name: `IA32_MTRR_FIX_${index.toString(16)}`,
    slot: slotAt(1 + position),
    isValid: areTypes,
  })),
  ...Array.from({ length: VARIABLE_RANGES }, (_, range) => [
    {
      index: FIRST_VARIABLE + range * 2,
      name: `IA32_MTRR_PHYSBASE${range}`,
      slot: slotAt(1 + FIXED.length + range * 2),
      isValid: (value: bigint, bits: number): boolean =>
        fits(value, bits) && (value & 0xf00n) === 0n && isType(value & 0xffn),
    },
    {
      index: FIRST_VARIABLE + range * 2 + 1,
      name: `IA32_MTRR_PHYSMASK${range}`,
      slot: slotAt(2 + FIXED.length + range * 2),
      isValid: (value: bigint, bits: number): boolean =>
        fits(value, bits) && (value & 0x7ffn) === 0n,
    },
  ]).flat(),
];
