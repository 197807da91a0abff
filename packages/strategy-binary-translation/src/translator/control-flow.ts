/** Branches: direct ones become continuations, indirect ones a lookup in a hash table by code in the cache. */
import { encode, registersByName, type Decoded, type RegisterArgument } from "@ringside/isa";
import { lookupEntries, lookupProbes } from "../cache/region.ts";
import type { GuestPlace } from "./in-cache.ts";
import { restoreFlags, saveFlags } from "./in-cache.ts";
import { reachedMemory } from "./memory-operand.ts";
import { ripBase } from "./treatment.ts";
import type { Spill } from "./unit.ts";
import { continuationBytes, type UnitBuilder } from "./unit-builder.ts";

const rcx: RegisterArgument = argument("rcx");
const rcxSpill = { register: 1, slot: "rcx" } as const;
const raxSpill = { register: 0, slot: "rax" } as const;
const notEqual = 5;
const stackSlot = 8n;

/** Emits JMP, Jcc, LOOP and its kin, and CALL with a relative target. */
export function emitDirect(
  unit: UnitBuilder,
  decoded: Decoded,
  kind: "jump" | "branch" | "loop" | "call",
  { code, next }: GuestPlace,
): void {
  const target = BigInt.asUintN(64, next + decoded.relative);
  switch (kind) {
    case "call":
      emitPushReturn(unit, next, []);
      unit.continueAt(target);
      return;
    case "jump":
      unit.continueAt(target);
      return;
    case "branch":
      unit.branch(conditionOf(decoded, code), target, next);
      return;
    case "loop":
      // The same instruction, to the second of two continuations.
      unit.append(code.subarray(0, -1));
      unit.append([continuationBytes]);
      unit.continueAt(next);
      unit.continueAt(target);
  }
}

/** Condition code of a Jcc: the low half of its opcode's last byte, which the displacement follows. */
function conditionOf({ form }: Decoded, bytes: Uint8Array): number {
  const displacementBytes = (form.operands[0]?.bits ?? 0) / 8;
  return (bytes.at(-1 - displacementBytes) ?? 0) & 0xf;
}

/** Emits RET: the target is the guest's own return address, on its own stack. */
export function emitReturn(unit: UnitBuilder, decoded: Decoded, place: GuestPlace): void {
  const stackBytes = stackSlot + decoded.immediate;
  unit.sequence("mov qword ptr [$rcx], rcx");
  unit.spilled(rcxSpill);
  unit.sequence(`
    mov rcx, qword ptr [rsp]
    lea rsp, [rsp+${stackBytes}]
  `);
  emitLookup(unit, place, stackBytes);
}

/** Emits JMP and CALL through a register or memory. */
export function emitIndirect(
  unit: UnitBuilder,
  decoded: Decoded,
  kind: "jump-indirect" | "call-indirect",
  place: GuestPlace,
): void {
  unit.sequence("mov qword ptr [$rcx], rcx");
  unit.spilled(rcxSpill);
  emitLoadTarget(unit, decoded, place.next);
  if (kind === "call-indirect") emitPushReturn(unit, place.next, [rcxSpill]);
  emitLookup(unit, place, kind === "call-indirect" ? -stackSlot : 0n);
}

/** RCX = where the branch goes. */
function emitLoadTarget(unit: UnitBuilder, decoded: Decoded, next: bigint): void {
  const { memory, form, registers } = decoded;
  if (memory === undefined) {
    const number = registers[form.operands[0]?.index ?? 0] ?? 0;
    unit.append(
      encode({ mnemonic: "mov", arguments: [rcx, { ...rcx, number }] }, { address: unit.address }),
    );
    return;
  }
  if (memory.base === ripBase) {
    const target = BigInt.asUintN(64, next + memory.displacement);
    const reached = reachedMemory(unit.address, target);
    if (reached === undefined) {
      unit.sequence(`mov rcx, 0x${target.toString(16)}`);
      unit.sequence("mov rcx, qword ptr [rcx]");
      return;
    }
    unit.append(
      encode(
        { mnemonic: "mov", arguments: [rcx, { ...reached, bits: 64 }] },
        { address: unit.address },
      ),
    );
    return;
  }
  const { base, index, scaleShift, displacement, segment, addressWidth } = memory;
  unit.append(
    encode(
      {
        mnemonic: "mov",
        arguments: [
          rcx,
          {
            type: "memory",
            bits: 64,
            ...(base >= 0 ? { base } : {}),
            ...(index >= 0 ? { index, scale: scaleOf(scaleShift) } : {}),
            displacement,
            ...(segment >= 4 ? { segment } : {}),
            addressWidth,
          },
        ],
      },
      { address: unit.address },
    ),
  );
}

function scaleOf(shift: 0 | 1 | 2 | 3): 1 | 2 | 4 | 8 {
  return shift === 0 ? 1 : shift === 1 ? 2 : shift === 2 ? 4 : 8;
}

/** Pushes where the guest's own code goes on, never an address in the cache. */
function emitPushReturn(unit: UnitBuilder, next: bigint, spilled: readonly Spill[]): void {
  const signed = BigInt.asIntN(64, next);
  if (BigInt.asIntN(32, signed) === signed) {
    unit.append(encode({ mnemonic: "push", arguments: [{ type: "number", value: signed }] }));
    return;
  }
  unit.sequence("mov qword ptr [$rax], rax");
  unit.spilled(raxSpill, ...spilled);
  unit.append(
    encode({ mnemonic: "mov", arguments: [argument("rax"), { type: "number", value: next }] }),
  );
  unit.sequence(`
    push rax
    mov rax, qword ptr [$rax]
  `);
}

/**
 * Goes to the translation of the guest address in RCX, whose own value is in its slot.
 *
 * The table is indexed by the low bits of the address; a collision is found in one of the next places.
 */
function emitLookup(unit: UnitBuilder, { guestRip }: GuestPlace, stackBytes: bigint): void {
  unit.sequence(`
    ${saveFlags}
    inc qword ptr [$lookups]
    mov eax, ecx
    and eax, ${lookupEntries - 1}
    shl eax, 4
    ${"cmp rcx, qword ptr [rax+$lookup]\nje found\nadd eax, 16\n".repeat(lookupProbes - 1)}
    cmp rcx, qword ptr [rax+$lookup]
  found:
  `);
  unit.branchAway(notEqual, () => {
    unit.sequence(`
      mov qword ptr [$target], rcx
      ${restoreFlags}
      mov rcx, qword ptr [$rcx]
    `);
    unit.callout({ kind: "lookup", guestRip, stackBytes });
  });
  unit.sequence(`
    mov rcx, qword ptr [rax+$lookup+8]
    mov qword ptr [$target], rcx
    ${restoreFlags}
    mov rcx, qword ptr [$rcx]
    jmp qword ptr [$target]
  `);
}

function argument(name: string): RegisterArgument {
  const register = registersByName.get(name);
  if (register === undefined)
    throw new Error(`Bug in ringside: no register ${name}, please report.`);
  return { type: "register", ...register };
}
