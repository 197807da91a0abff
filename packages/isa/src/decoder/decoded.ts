/**
 * What decoding gives: forms, which fix everything that a handler must know, and decoded instructions, which are a form
 * with the numbers that its bytes hold.
 */
import type { Access, Encoding, Instruction } from "../dsl.ts";
import type { Operand, Width } from "../semantics.ts";

/** Bits of the code segment that an instruction is decoded for. */
export type CodeMode = 16 | 32 | 64;

/**
 * Where an operand's value, register number or address comes from.
 *
 * - `reg`, `rm`, `opcode`: a register whose number the bytes hold; it is in {@link Decoded.registers}.
 * - `fixed`: a register or constant that the encoding implies; its number is {@link FormOperand.value}.
 * - `memory`: {@link Decoded.memory} (ModRM or moffs).
 * - `implicit-memory`: memory that string instructions address by RSI and RDI; there is no {@link Decoded.memory}.
 * - `immediate`, `immediate2`, `relative`: the field of that name in {@link Decoded}.
 * - `far-pointer`: the offset is {@link Decoded.immediate}, the selector {@link Decoded.immediate2}.
 */
export type OperandSource =
  | "reg"
  | "rm"
  | "opcode"
  | "fixed"
  | "memory"
  | "implicit-memory"
  | "immediate"
  | "immediate2"
  | "relative"
  | "far-pointer";

/** An operand of a form. */
export interface FormOperand extends Operand {
  readonly access: Access;
  readonly source: OperandSource;
  /** Register number or constant of a `fixed` operand, else 0. High byte registers AH, CH, DH and BH are 16 to 19. */
  readonly value: number;
  /** Position among the form's operands, and so in {@link Decoded.registers}. */
  readonly index: number;
}

/** REP prefixes that a form of a repeatable instruction has. */
export type Repeat = "none" | "rep" | "repe" | "repne";

/** An encoding with everything fixed that its handler must know: what `r/m` is, and all sizes. */
export interface Form {
  /** Position in {@link Decoder.forms}. */
  readonly id: number;
  /** Unique in a table and independent of it, for example `add r/m32, r32 [memory]`. */
  readonly name: string;
  readonly instruction: Instruction;
  /** Mnemonic of the encoding, in lower case; rows of one instruction may have several. */
  readonly mnemonic: string;
  readonly encoding: Encoding;
  readonly mode: CodeMode;
  /** Operand size that the row names; undefined for rows that match any. */
  readonly operandSize: 16 | 32 | 64 | undefined;
  /**
   * Width of the operation: that of the first general register, memory, control or debug operand of 8 to 64 bits;
   * without one, the operand size that the row names, else that of the mode (64 in 64-bit mode: near branches, the stack).
   */
  readonly width: Width;
  /** Address size of rows marked `addressSized`; else that of the mode. */
  readonly addressWidth: 16 | 32 | 64;
  readonly repeat: Repeat;
  readonly operands: readonly FormOperand[];
  /** Whether {@link Decoded.memory} is there: ModRM names memory, or the row has a `moffs`. */
  readonly hasMemory: boolean;
}

/** Segment registers by their number: ES, CS, SS, DS, FS, GS. */
export type SegmentNumber = 0 | 1 | 2 | 3 | 4 | 5;

/** The parts of a memory operand's address. */
export interface MemoryAddress {
  /** General register 0 to 15, -1 without one, -2 for RIP of the next instruction. */
  readonly base: number;
  /** General register 0 to 15, -1 without one. */
  readonly index: number;
  /** The index is shifted left by this. */
  readonly scaleShift: 0 | 1 | 2 | 3;
  /** Sign-extended to 64 bits; the whole offset of a `moffs`, zero-extended from the address size. */
  readonly displacement: bigint;
  /** The default, or an override. CS, DS, ES and SS overrides mean nothing in 64-bit mode and are not seen here. */
  readonly segment: SegmentNumber;
  readonly addressWidth: 16 | 32 | 64;
}

/** One decoded instruction. */
export interface Decoded {
  readonly form: Form;
  /** 1 to 15. */
  readonly lengthBytes: number;
  readonly lock: boolean;
  /**
   * For each operand of the form the number of its register: general 0 to 15 (AH, CH, DH, BH are 16 to 19), or the
   * number of a segment, control, debug, XMM, MMX or ST register. 0 for operands that are not registers.
   */
  readonly registers: readonly number[];
  /**
   * Immediate: where the row's access is `sx`, sign-extended from its size to 64 bits (and negative); else zero-extended.
   * 0n without one. Offset of a far pointer.
   */
  readonly immediate: bigint;
  /** Second immediate (ENTER), or selector of a far pointer; else 0. */
  readonly immediate2: number;
  readonly memory?: MemoryAddress;
  /** Segment override that applies in this mode, or -1. String instructions use it through `segmentBase`. */
  readonly segmentOverride: SegmentNumber | -1;
  /** Sign-extended branch displacement, else 0n. */
  readonly relative: bigint;
}

/**
 * Why bytes are not an instruction: `UD` no row has this encoding, `GP` longer than 15 bytes, `more` it goes on past
 * the bytes given.
 */
export interface DecodeFault {
  readonly fault: "UD" | "GP" | "more";
}

/** What decoding depends on beside the bytes. */
export interface DecodeContext {
  readonly mode: CodeMode;
}

/** Decodes the instructions of one table. */
export interface Decoder {
  readonly instructions: readonly Instruction[];
  /** All forms: those of 64-bit and 32-bit code in the order of the rows, then those of 16-bit code. */
  readonly forms: readonly Form[];
  /** Decodes the instruction that starts at `offset` of `bytes`; at most `length` bytes from there may be looked at. */
  decode(
    bytes: Uint8Array,
    offset: number,
    length: number,
    context: DecodeContext,
  ): Decoded | DecodeFault;
}

/** Tells the two results of {@link Decoder.decode} apart. */
export function isDecodeFault(result: Decoded | DecodeFault): result is DecodeFault {
  return "fault" in result;
}
