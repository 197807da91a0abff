/**
 * ModRM, SIB and displacement of a memory operand.
 *
 * Intel SDM Vol. 2A §2.1.5, "Addressing-Mode Encoding of ModR/M and SIB Bytes".
 */
import type { CodeMode } from "../decoder/decoded.ts";
import type { MemoryArgument } from "./argument.ts";

/** The bytes, and what they need in the prefixes. */
export interface AddressBytes {
  /** From ModRM on. The last four are the displacement where the operand has a target. */
  readonly bytes: number[];
  /** REX.X and REX.B. */
  readonly rex: number;
  readonly addressWidth: number;
}

/** Encodes an address; undefined when there is no such addressing form. `reg` goes into ModRM's middle. */
export function addressBytes(
  argument: MemoryArgument,
  reg: number,
  mode: CodeMode,
): AddressBytes | undefined {
  const addressWidth = argument.addressWidth ?? mode;
  if ((addressWidth === 64) !== (mode === 64) && addressWidth !== 32) return undefined;
  if (addressWidth === 16) return mode === 64 ? undefined : addressBytes16(argument, reg);
  const middle = reg << 3;
  if (argument.target !== undefined || argument.base === -2)
    return ripRelative(argument, middle, mode, addressWidth);

  const displacement = asDisplacement(argument.displacement ?? 0n, addressWidth);
  if (displacement === undefined) return undefined;
  const { base, index } = argument;
  if (index === 4) return undefined;
  if (mode !== 64 && ((base ?? 0) > 7 || (index ?? 0) > 7)) return undefined;
  const rex = (((index ?? 0) >> 3) << 1) | ((base ?? 0) >> 3);
  const scaleBits = Math.log2(argument.scale ?? 1) << 6;
  const indexBits = ((index ?? 4) & 7) << 3;
  if (base === undefined) {
    // 32-bit code has a form without SIB; in 64-bit code that form is relative to RIP.
    const head =
      index === undefined && mode !== 64 ? [middle | 5] : [middle | 4, scaleBits | indexBits | 5];
    return { bytes: [...head, ...littleEndian(displacement, 4)], rex, addressWidth };
  }
  const low = base & 7;
  // A base of RBP or R13 without displacement is another form.
  const size =
    displacement === 0n && low !== 5 ? 0 : BigInt.asIntN(8, displacement) === displacement ? 1 : 4;
  const mod = size === 0 ? 0 : size === 1 ? 0x40 : 0x80;
  const needsSib = index !== undefined || low === 4;
  const head = needsSib ? [mod | middle | 4, scaleBits | indexBits | low] : [mod | middle | low];
  return { bytes: [...head, ...littleEndian(displacement, size)], rex, addressWidth };
}

function ripRelative(
  argument: MemoryArgument,
  middle: number,
  mode: CodeMode,
  addressWidth: number,
): AddressBytes | undefined {
  if (mode !== 64 || argument.index !== undefined) return undefined;
  const displacement = argument.displacement ?? 0n;
  if (BigInt.asIntN(32, displacement) !== displacement) return undefined;
  return { bytes: [middle | 5, ...littleEndian(displacement, 4)], rex: 0, addressWidth };
}

/** A displacement as it is sign-extended from 32 bits; undefined when it cannot be. */
function asDisplacement(value: bigint, addressWidth: number): bigint | undefined {
  if (value < -(1n << 63n) || value >> BigInt(addressWidth) > 0n) return undefined;
  const wrapped = BigInt.asIntN(addressWidth, value);
  return BigInt.asIntN(32, wrapped) === wrapped ? wrapped : undefined;
}

/** BX+SI, BX+DI, BP+SI, BP+DI, SI, DI, BP, BX. */
const PAIRS_16: readonly (readonly [number, number | undefined])[] = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, undefined],
  [7, undefined],
  [5, undefined],
  [3, undefined],
];

function addressBytes16(argument: MemoryArgument, reg: number): AddressBytes | undefined {
  const middle = reg << 3;
  const value = argument.displacement ?? 0n;
  if (value < -0x8000n || value > 0xffffn || (argument.scale ?? 1) !== 1) return undefined;
  const displacement = BigInt.asIntN(16, value);
  const { base, index } = argument;
  if (base === undefined) {
    if (index !== undefined) return undefined;
    return { bytes: [middle | 6, ...littleEndian(displacement, 2)], rex: 0, addressWidth: 16 };
  }
  const rm = PAIRS_16.findIndex(([first, second]) => first === base && second === index);
  if (rm < 0) return undefined;
  const size =
    displacement === 0n && rm !== 6 ? 0 : BigInt.asIntN(8, displacement) === displacement ? 1 : 2;
  return {
    bytes: [(size << 6) | middle | rm, ...littleEndian(displacement, size)],
    rex: 0,
    addressWidth: 16,
  };
}

function littleEndian(value: bigint, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn));
}
