/**
 * Operands relative to RIP, for code that lies elsewhere.
 *
 * In reach, the displacement counts from the new place; near address 0 or the top, the address itself fits into 32
 * bits; else it goes through a register that the instruction does not use, never through the guest's stack.
 */
import { registerName, type Decoded, type MemoryArgument } from "@ringside/isa";
import type { GuestPlace } from "./in-cache.ts";
import { displacement, type UnitBuilder } from "./unit-builder.ts";

/** Whether a displacement from the next 15 bytes reaches. */
function isInReach(from: bigint, target: bigint): boolean {
  const distance = BigInt.asIntN(64, target - from);
  const limit = (1n << 31n) - 64n;
  return distance > -limit && distance < limit;
}

function isAbsolute(target: bigint): boolean {
  const signed = BigInt.asIntN(64, target);
  return BigInt.asIntN(32, signed) === signed;
}

/** `target` as an operand of an instruction at `from`; undefined when it takes a register. */
export function reachedMemory(from: bigint, target: bigint): MemoryArgument | undefined {
  if (isAbsolute(target)) return { type: "memory", displacement: BigInt.asIntN(64, target) };
  if (isInReach(from, target)) return { type: "memory", target };
  return undefined;
}

const modRmRipRelative = 0x05;
const modRmMask = 0xc7;
const rexMask = 0xf0;
const rex = 0x40;
const rexIndex = 2;
const rexBase = 1;
/** ModRM's r/m for a SIB byte, and the SIB byte for a displacement alone. */
const modRmSib = 4;
const sibAbsolute = 0x25;
const maximumInstructionBytes = 15;
const displacementBytes = 4;

/** Bytes of the immediates that end an encoding. Notation of the SDM's opcode column. */
const immediateBytes: Readonly<Record<string, number>> = { ib: 1, iw: 2, id: 4, io: 8 };

/** Emits an instruction with an operand relative to RIP. @returns false when its bytes are not as its row says. */
export function emitRipRelative(
  unit: UnitBuilder,
  decoded: Decoded,
  { code: bytes, next }: GuestPlace,
): boolean {
  const tail = decoded.form.encoding.opcode
    .split(/\s+/u)
    .reduce((sum, part) => sum + (immediateBytes[part] ?? 0), 0);
  const modRm = bytes.length - tail - displacementBytes - 1;
  if (((bytes[modRm] ?? 0) & modRmMask) !== modRmRipRelative) return false;
  const target = BigInt.asUintN(64, next + (decoded.memory?.displacement ?? 0n));
  if (isInReach(unit.address, target)) {
    const distance = BigInt.asIntN(64, target - (unit.address + BigInt(bytes.length)));
    unit.append(withDisplacement(bytes, modRm + 1, distance));
    return true;
  }
  const rexAt = rexPosition(bytes, decoded);
  const extendsIndex = rexAt !== undefined && ((bytes[rexAt] ?? 0) & rexIndex) !== 0;
  if (isAbsolute(target) && bytes.length < maximumInstructionBytes && !extendsIndex) {
    unit.append(bytes.subarray(0, modRm));
    unit.append([((bytes[modRm] ?? 0) & ~0x7) | modRmSib, sibAbsolute]);
    unit.append(displacement(Number(BigInt.asIntN(32, target))));
    unit.append(bytes.subarray(modRm + 1 + displacementBytes));
    return true;
  }
  emitThroughRegister(unit, decoded, bytes, modRm, target);
  return true;
}

function withDisplacement(bytes: Uint8Array, at: number, value: bigint): Uint8Array {
  const changed = bytes.slice();
  changed.set(displacement(Number(value)), at);
  return changed;
}

/** The same instruction with `[register]` for its operand: ModRM without displacement. */
function emitThroughRegister(
  unit: UnitBuilder,
  decoded: Decoded,
  bytes: Uint8Array,
  modRm: number,
  target: bigint,
): void {
  const register = freeRegister(decoded);
  const name = registerName("register", register, 64);
  unit.sequence(`mov qword ptr [$other], ${name}`);
  unit.spilled({ register, slot: "other" });
  unit.sequence(`mov ${name}, 0x${target.toString(16)}`);

  const rexAt = rexPosition(bytes, decoded);
  const head = [...bytes.subarray(0, modRm)];
  if (rexAt !== undefined) head[rexAt] = ((head[rexAt] ?? 0) & ~rexBase) | (register >> 3);
  unit.append(head);
  unit.append([((bytes[modRm] ?? 0) & ~0x7) | (register & 7)]);
  unit.append(bytes.subarray(modRm + 1 + displacementBytes));
  unit.sequence(`mov ${name}, qword ptr [$other]`);
}

/**
 * RSI or RDI, or R14 or R15 where there is a REX prefix to name them: whichever is no operand. None of them is an operand that
 * goes without saying of an instruction with a ModRM.
 */
function freeRegister(decoded: Decoded): number {
  const used = new Set<number>();
  for (const { kind, index, source, value } of decoded.form.operands) {
    if (kind !== "register") continue;
    used.add(source === "fixed" ? value : (decoded.registers[index] ?? 0));
  }
  return used.has(6) ? (used.has(7) ? 3 : 7) : 6;
}

/** Where the REX prefix is: in front of the opcode, behind all other prefixes. */
function rexPosition(bytes: Uint8Array, decoded: Decoded): number | undefined {
  const prefixes = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
  let at = 0;
  while (at < decoded.lengthBytes && prefixes.has(bytes[at] ?? 0)) at += 1;
  return ((bytes[at] ?? 0) & rexMask) === rex ? at : undefined;
}
