/**
 * The machine on which single instructions are recorded and replayed: its memory, and the state before an instruction.
 *
 * Recorder (a real processor under Linux) and replay (ours) set the same registers and the same bytes at the same linear
 * addresses, so that everything that an instruction leaves behind can be compared, RIP and fault addresses included.
 */

/** Linear address of the page with the instruction, which the program can read, write and execute. */
export const CODE_PAGE = 0x2000_0000;
/** Linear address of the instruction. */
export const CODE_ADDRESS = 0x2000_0800;
/** Linear address of the memory that the program can read and write, and its size. Nothing is mapped behind it. */
export const DATA_ADDRESS = 0x2001_0000;
export const DATA_BYTES = 0x2000;
/** Linear address of a page that the program can only read. */
export const READ_ONLY_ADDRESS = 0x2001_3000;
export const READ_ONLY_BYTES = 0x1000;
/** Bases of FS and GS in 64-bit code. In 32-bit code both are null. */
export const FS_BASE: number = DATA_ADDRESS;
export const GS_BASE: number = DATA_ADDRESS + 0x800;

/** What memory holds at a linear address before an instruction, where its input does not say otherwise. */
export function initialByte(linear: number): number {
  return Math.imul(linear, 0x9e37_79b1) >>> 24;
}

/** Bytes at a linear address. */
export interface Patch {
  readonly linear: number;
  readonly bytes: Uint8Array;
}

/** Registers that a program sees. */
export interface Registers {
  /** 16 general registers in the order of their encoding. */
  readonly general: bigint[];
  flags: bigint;
  /** 16 registers of 128 bits. */
  readonly xmm: bigint[];
  mxcsr: number;
  /** FCW, FSW and, as FXSAVE has it, one tag bit for each physical register: 1 when it is not empty. */
  controlWord: number;
  statusWord: number;
  tags: number;
  /** ST(0) to ST(7), 80 bits each. */
  readonly stack: bigint[];
}

/** The state before an instruction whose input names nothing. 32-bit code has eight registers of 32 bits. */
export function initialRegisters(mode: 32 | 64): Registers {
  const general = (number: number): bigint => {
    if (number === 4) return BigInt(DATA_ADDRESS + DATA_BYTES / 2);
    const value = 0x1111_1111_1111_1111n * BigInt(number);
    return mode === 64 ? value : number < 8 ? BigInt.asUintN(32, value) : 0n;
  };
  return {
    general: Array.from({ length: 16 }, (_, number) => general(number)),
    flags: 0x202n,
    xmm: Array.from({ length: 16 }, (_, number) => (BigInt(number) << 64n) | BigInt(number * 3)),
    mxcsr: 0x1f80,
    controlWord: 0x37f,
    statusWord: 0,
    tags: 0,
    stack: Array.from({ length: 8 }, () => 0n),
  };
}

/** What is set before one instruction. */
export interface VectorInput {
  readonly mode: 32 | 64;
  readonly code: Uint8Array;
  readonly registers: Registers;
  readonly memory: readonly Patch[];
}

/** What one instruction left behind. */
export interface VectorResult {
  readonly rip: bigint;
  readonly registers: Registers;
  /** What memory then holds, where it changed. */
  readonly memory: readonly Patch[];
  /** Vector of the exception, and for #PF the linear address; undefined when the instruction completed. */
  readonly fault: { readonly vector: number; readonly linear: bigint | undefined } | undefined;
}

export interface Vector {
  readonly input: VectorInput;
  readonly result: VectorResult;
}
