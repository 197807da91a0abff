/**
 * NOP, PAUSE, ENDBR and the mark: instructions that do nothing, at least to the program.
 *
 * Intel SDM Vol. 2B, "NOP—No Operation" and "PAUSE—Spin Loop Hint"; Vol. 2A, "ENDBR64—Terminate an Indirect Branch in
 * 64-bit Mode". The opcodes 0F 19 to 0F 1F are hints: those without a meaning yet are NOPs with an operand that is not
 * accessed.
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const nop: Instruction = {
  mnemonic: "nop",
  reference: "Intel SDM Vol. 2B, NOP—No Operation",

  encodings: opcodes`
    Opcode         | Instruction | Access
    90             | NOP         | -
    o16 0F 1F /0   | NOP r/m16   | n
    o32 0F 1F /0   | NOP r/m32   | n
    REX.W 0F 1F /0 | NOP r/m64   | n
  `,

  semantics() {},
};

/** The hint opcodes that no feature here gives a meaning to. */
export const reservedNop: Instruction = {
  mnemonic: "reservednop",
  reference: "Intel SDM Vol. 2B, NOP—No Operation",

  encodings: opcodes`
    Opcode         | Instruction           | Access
    0F 18 /0       | RESERVEDNOP r32        | n
    0F 18 /1       | RESERVEDNOP r32        | n
    0F 18 /2       | RESERVEDNOP r32        | n
    0F 18 /3       | RESERVEDNOP r32        | n
    0F 18 /4       | RESERVEDNOP r/m32      | n
    0F 18 /5       | RESERVEDNOP r/m32      | n
    0F 18 /6       | RESERVEDNOP r/m32      | n
    0F 18 /7       | RESERVEDNOP r/m32      | n
    o16 0F 19 /r   | RESERVEDNOP r/m16, r16 | n n
    o32 0F 19 /r   | RESERVEDNOP r/m32, r32 | n n
    REX.W 0F 19 /r | RESERVEDNOP r/m64, r64 | n n
    o16 0F 1A /r   | RESERVEDNOP r/m16, r16 | n n
    o32 0F 1A /r   | RESERVEDNOP r/m32, r32 | n n
    REX.W 0F 1A /r | RESERVEDNOP r/m64, r64 | n n
    o16 0F 1B /r   | RESERVEDNOP r/m16, r16 | n n
    o32 0F 1B /r   | RESERVEDNOP r/m32, r32 | n n
    REX.W 0F 1B /r | RESERVEDNOP r/m64, r64 | n n
    o16 0F 1C /r   | RESERVEDNOP r/m16, r16 | n n
    o32 0F 1C /r   | RESERVEDNOP r/m32, r32 | n n
    REX.W 0F 1C /r | RESERVEDNOP r/m64, r64 | n n
    o16 0F 1D /r   | RESERVEDNOP r/m16, r16 | n n
    o32 0F 1D /r   | RESERVEDNOP r/m32, r32 | n n
    REX.W 0F 1D /r | RESERVEDNOP r/m64, r64 | n n
    o16 0F 1E /r   | RESERVEDNOP r/m16, r16 | n n
    o32 0F 1E /r   | RESERVEDNOP r/m32, r32 | n n
    REX.W 0F 1E /r | RESERVEDNOP r/m64, r64 | n n
  `,

  semantics() {},
};

export const endbr64: Instruction = {
  mnemonic: "endbr64",
  reference: "Intel SDM Vol. 2A, ENDBR64—Terminate an Indirect Branch in 64-bit Mode",

  encodings: opcodes`
    Opcode         | Instruction | Access
    F3 0F 1E FA    | ENDBR64     | -
  `,

  semantics() {},
};

export const endbr32: Instruction = {
  mnemonic: "endbr32",
  reference:
    "Intel SDM Vol. 2A, ENDBR32—Terminate an Indirect Branch in 32-bit and Compatibility Mode",

  encodings: opcodes`
    Opcode         | Instruction | Access
    F3 0F 1E FB    | ENDBR32     | -
  `,

  semantics() {},
};

export const pause: Instruction = {
  mnemonic: "pause",
  reference: "Intel SDM Vol. 2B, PAUSE—Spin Loop Hint",

  encodings: opcodes`
    Opcode | Instruction | Access
    F3 90  | PAUSE       | -
  `,

  semantics() {},
};

/**
 * The mark: a NOP `0F 1F 84 00 disp32` whose displacement has 0x5249 in its upper half, and a number below. It tells an observer of the
 * machine that a place in the guest's code was reached, and is a NOP to the guest and to every other processor.
 */
export const mark: Instruction = {
  mnemonic: "ringside.mark",
  reference: "Intel SDM Vol. 2B, NOP—No Operation",

  encodings: opcodes`
    Opcode                     | Instruction         | Access
    NP 0F 1F 84 00 iw 49 52    | RINGSIDE.MARK imm16 | r
  `,

  semantics(m, id) {
    m.helper("mark", [m.toI32(m.read(id))]);
  },
};
