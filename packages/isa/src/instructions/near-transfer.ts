/**
 * JMP, CALL and RET within the code segment. Transfers to other segments are in a file of their own.
 *
 * Intel SDM Vol. 2A, "JMP—Jump" and "CALL—Call Procedure"; Vol. 2B, "RET—Return From Procedure". In 64-bit mode
 * operands are 64 bits whatever the prefixes, as on Intel's processors.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Condition, Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots } from "../state/layout.ts";

const CS = 1;

/** #GP(0) before anything is pushed, popped or counted when the target is not canonical, or beyond the limit of CS. */
function requireReachable(m: SemanticsBuilder, target: Value): void {
  m.raiseWhen(isUnreachable(m, target), "GP", m.constant(0n));
}

/** The same for a relative operand, when a condition holds. */
export function requireReachableWhen(
  m: SemanticsBuilder,
  condition: Condition,
  target: Operand,
): void {
  const isUnreachableTarget = isUnreachable(m, nearTarget(m, target));
  m.raiseWhen(m.both(condition, isUnreachableTarget), "GP", m.constant(0n));
}

function isUnreachable(m: SemanticsBuilder, target: Value): Condition {
  return m.mode === 64
    ? m.isFalse(m.isCanonical(target))
    : m.lessThanUnsigned(m.state(segmentSlots(CS).limit), target);
}

/** Target of a relative operand, of which an operand size of 16 bits keeps the lower half. */
function nearTarget(m: SemanticsBuilder, target: Operand): Value {
  const rip = m.relativeTarget(target);
  return m.mode !== 64 && m.width === 16 ? m.truncate(rip, 16) : rip;
}

/** Bytes of a return address. */
function slotBytes(m: SemanticsBuilder): 2 | 4 | 8 {
  if (m.mode === 64) return 8;
  return m.width === 16 ? 2 : 4;
}

/**
 * Jumps to a relative target; with an operand size of 16 bits the upper half of EIP is cleared. Where a target is not
 * canonical the engine finds it when it looks for the target, so that jumps inside one page pay nothing; instructions
 * that do something before they jump ask first.
 */
export function jumpNear(m: SemanticsBuilder, target: Operand): void {
  if (m.mode !== 64 && m.width === 16) m.jumpTo(nearTarget(m, target));
  else m.jumpRelative(target);
}

export const jmp: Instruction = {
  mnemonic: "jmp",
  reference: "Intel SDM Vol. 2A, JMP—Jump",
  ends: true,

  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    EB cb     | JMP rel8    | n      | 64
    o16 EB cb | JMP rel8    | n      | legacy
    o32 EB cb | JMP rel8    | n      | legacy
    o16 E9 cw | JMP rel16   | n      | legacy
    o32 E9 cd | JMP rel32   | n      | legacy
    E9 cd     | JMP rel32   | n      | 64
    o16 FF /4 | JMP r/m16   | r      | legacy
    o32 FF /4 | JMP r/m32   | r      | legacy
    FF /4     | JMP r/m64   | r      | 64
  `,

  semantics(m: SemanticsBuilder, target: Operand) {
    if (target.kind === "relative") jumpNear(m, target);
    else m.jumpTo(m.read(target));
  },
};

export const call: Instruction = {
  mnemonic: "call",
  counted: true,
  reference: "Intel SDM Vol. 2A, CALL—Call Procedure",
  ends: true,

  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    o16 E8 cw | CALL rel16  | n      | legacy
    o32 E8 cd | CALL rel32  | n      | legacy
    E8 cd     | CALL rel32  | n      | 64
    o16 FF /2 | CALL r/m16  | r      | legacy
    o32 FF /2 | CALL r/m32  | r      | legacy
    FF /2     | CALL r/m64  | r      | 64
  `,

  semantics(m: SemanticsBuilder, target: Operand) {
    if (target.kind === "relative") {
      requireReachable(m, nearTarget(m, target));
      m.push(m.nextRip(), slotBytes(m));
      jumpNear(m, target);
      return;
    }
    const rip = m.read(target);
    requireReachable(m, rip);
    m.push(m.nextRip(), slotBytes(m));
    m.jumpTo(rip);
  },
};

export const ret: Instruction = {
  mnemonic: "ret",
  counted: true,
  reference: "Intel SDM Vol. 2B, RET—Return From Procedure",
  ends: true,

  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    o16 C3    | RET         | -      | legacy
    o32 C3    | RET         | -      | legacy
    C3        | RET         | -      | 64
    o16 C2 iw | RET imm16   | r      | legacy
    o32 C2 iw | RET imm16   | r      | legacy
    C2 iw     | RET imm16   | r      | 64
  `,

  semantics(m: SemanticsBuilder, released?: Operand) {
    const bytes = slotBytes(m);
    const rip = m.peek(bytes);
    requireReachable(m, rip);
    const own = m.constant(bytes);
    m.moveStackPointer(released === undefined ? own : m.add(own, m.read(released), 64));
    m.jumpTo(rip);
  },
};
