/**
 * VM-exit instruction information, and the displacement that is the exit qualification of instructions with memory.
 *
 * Intel SDM Vol. 3C §28.2.5, "Information for VM Exits Due to Instruction Execution", Tables 27-8 to 27-14.
 */
import type { CurrentOperand } from "@ringside/isa";
import { EXIT } from "./exit-reasons.ts";

/** What an instruction that exited looks like in the VMCS. */
export interface InstructionDetail {
  readonly information: number;
  readonly displacement: bigint;
}

/** Bit 10: the operand is a register, in bits 6:3. */
export const IS_REGISTER: number = 1 << 10;
const NO_INDEX = 1 << 22;
const NO_BASE = 1 << 27;

/** Reasons whose instruction has a memory operand, or a register in its place. */
const WITH_OPERAND: ReadonlySet<number> = new Set([
  EXIT.VMCLEAR,
  EXIT.VMPTRLD,
  EXIT.VMPTRST,
  EXIT.VMREAD,
  EXIT.VMWRITE,
  EXIT.VMXON,
  EXIT.INVEPT,
  EXIT.INVVPID,
  EXIT.GDTR_OR_IDTR_ACCESS,
  EXIT.LDTR_OR_TR_ACCESS,
]);

export function hasInstructionDetail(reason: number): boolean {
  return WITH_OPERAND.has(reason);
}

/**
 * Completes what a row or an intercept knew of its registers with the parts of its memory operand.
 *
 * @param registers Register numbers, whether the operand is one, and the instruction's identity.
 */
export function instructionDetail(
  operand: CurrentOperand,
  registers: number,
  rip: bigint,
): InstructionDetail {
  if ((registers & IS_REGISTER) !== 0) return { information: registers, displacement: 0n };
  const wide = operand.addressMask === 0xffff_ffff_ffff_ffffn;
  const size = wide ? 2 : operand.addressMask === 0xffff_ffffn ? 1 : 0;
  const index = operand.index < 0 ? NO_INDEX : operand.index << 18;
  const base = operand.base < 0 ? NO_BASE : operand.base << 23;
  const information =
    registers + operand.scaleShift + (size << 7) + (operand.segment << 15) + index + base;
  // The displacement of a RIP-relative operand counts from the start of its page in the decoded record.
  const page = rip & ~0xfffn;
  const displacement =
    operand.base === -2 ? BigInt.asUintN(64, page + operand.displacement) : operand.displacement;
  return { information, displacement };
}
