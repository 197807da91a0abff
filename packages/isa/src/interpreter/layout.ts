/**
 * Where things lie in the one WebAssembly memory of a host, beside the architectural state (state/layout.ts).
 *
 * ```
 * 0          fixed records (see records.ts)
 * 64 KiB     one block per processor: state, counters, TLB
 *            one entry per physical frame
 *            decoded code: code pages and records
 *            physical memory
 * ```
 */
import { STATE_BYTES, type Slot } from "../state/layout.ts";

export const WASM_PAGE_BYTES = 0x1_0000;
export const FRAME_BYTES = 4096;

/** Counters named by semantics and routines: 64 bits each. */
export const COUNTERS_OFFSET: number = STATE_BYTES;
export const COUNTERS_MAXIMUM = 0x2e0;

/** State of the processor's extensions, see extension.ts. */
export const EXTENSION_OFFSET = 0x1e00;
export const EXTENSION_BYTES = 0x200;

/**
 * The TLB: sets of two entries. The inline probe looks at the first, which is the one used last; a hit in the second
 * swaps them, a fill pushes the first into the second.
 */
export const TLB_OFFSET = 0x2000;
export const TLB_SETS = 512;
export const TLB_ENTRY_BYTES = 32;
export const TLB_SET_BYTES: number = TLB_ENTRY_BYTES * 2;

/**
 * One bit for each set that was filled since it was last emptied, so that flushing costs what was used. In the free end of
 * the architectural part of the block.
 */
export const TLB_USED_OFFSET = 0x580;
export const TLB_USED_BYTES: number = TLB_SETS / 8;

/** Fields of a TLB entry. */
export const TLB_ENTRY: Readonly<
  Record<"tag" | "addend" | "codePage" | "translation" | "codeMode", Slot>
> = {
  /**
   * Bits 51:0: linear page number; bits 63:52: what may not go the fast way, in the order of paging/tag.ts's denials.
   */
  tag: { offset: 0, bytes: 8 },
  /** Host address minus linear address, modulo 2^32. Only meaningful for RAM. */
  addend: { offset: 8, bytes: 4 },
  /** Code page decoded from this frame for the mode in `codeMode`, or 0. */
  codePage: { offset: 12, bytes: 4 },
  /** The walk's result: physical page and true denials (paging/tag.ts). */
  translation: { offset: 16, bytes: 8 },
  codeMode: { offset: 24, bytes: 1 },
};

/** Tag of an empty entry: everything denied, and a page number that no canonical address has. */
export const EMPTY_TAG = 0xfff8_0000_0000_0000n;

export const PROCESSOR_BLOCK_BYTES: number = TLB_OFFSET + TLB_SETS * TLB_SET_BYTES;

/** What the host knows of a physical frame. */
export const FRAME_ENTRY_BYTES = 16;
export const FRAME_ENTRY: Readonly<Record<"codeLines" | "flags" | "codeMode" | "codePage", Slot>> =
  {
    /** One bit for each 64-byte line from which code was decoded. */
    codeLines: { offset: 0, bytes: 8 },
    /** Bit 0: RAM. */
    flags: { offset: 8, bytes: 1 },
    /** Bits of code that {@link FRAME_ENTRY.codePage} was decoded for. */
    codeMode: { offset: 9, bytes: 1 },
    /** The code page last used for the frame, or 0. */
    codePage: { offset: 12, bytes: 4 },
  };
export const FRAME_IS_RAM = 1;

/** Intel SDM Vol. 2A §2.3.11, "AVX Instruction Length": no instruction is longer. */
export const INSTRUCTION_BYTES_MAXIMUM = 15;

/** A decoded instruction: what its handler reads. */
export const RECORD_BYTES = 48;
export const RECORD: Readonly<
  Record<
    | "handler"
    | "thisOffset"
    | "nextOffset"
    | "operand0"
    | "operand1"
    | "operand2"
    | "base"
    | "index"
    | "segment"
    | "immediate2"
    | "shift"
    | "length"
    | "target"
    | "displacement"
    | "immediate",
    Slot
  >
> = {
  handler: { offset: 0, bytes: 2 },
  /** Offset in the page of the instruction's first byte. */
  thisOffset: { offset: 2, bytes: 2 },
  /** Offset of the next instruction; 4096 or more at the end of a page. */
  nextOffset: { offset: 4, bytes: 2 },
  operand0: { offset: 6, bytes: 2 },
  operand1: { offset: 8, bytes: 2 },
  operand2: { offset: 10, bytes: 2 },
  base: { offset: 12, bytes: 2 },
  index: { offset: 14, bytes: 2 },
  segment: { offset: 16, bytes: 2 },
  immediate2: { offset: 18, bytes: 2 },
  shift: { offset: 20, bytes: 1 },
  length: { offset: 21, bytes: 1 },
  /** Record of the relative target in the same page, or 0. */
  target: { offset: 24, bytes: 4 },
  displacement: { offset: 32, bytes: 8 },
  immediate: { offset: 40, bytes: 8 },
};

/** A code page: for each byte offset of a frame the record of the instruction that starts there, or 0. */
export const CODE_PAGE_BYTES: number = FRAME_BYTES * 4;

/** Engine words of the state block, at its offsets 0x3b0 to 0x3ff, that semantics never see. */
export const ENGINE: Readonly<
  Record<
    | "currentRecord"
    | "frameTable"
    | "physicalBase"
    | "physicalBytes"
    | "decodePhysical"
    | "segmentScratch"
    | "wideScratch"
    | "crossingScratch"
    | "watching",
    Slot
  >
> = {
  /** Record being executed when control last left the handlers. */
  currentRecord: { offset: 0x3b0, bytes: 4 },
  /** Base of the frame table, and of physical memory, in the host's memory; bytes of physical memory. */
  frameTable: { offset: 0x3b4, bytes: 4 },
  physicalBase: { offset: 0x3b8, bytes: 4 },
  physicalBytes: { offset: 0x3bc, bytes: 4 },
  /** Physical address of the byte that fetch wants decoded. */
  decodePhysical: { offset: 0x3c0, bytes: 8 },
  /** Difference between an address record's linear address and its effective address. */
  segmentScratch: { offset: 0x3c8, bytes: 8 },
  /** Sixteen bytes for wide accesses that go the slow way. */
  wideScratch: { offset: 0x3d0, bytes: 16 },
  crossingScratch: { offset: 0x3e0, bytes: 16 },
  /** 1 while a debugger watches data: accesses that go the slow way are then reported. */
  watching: { offset: 0x3f8, bytes: 1 },
};

/** Records that no page owns, at fixed addresses: where `lookup` sends control when there is nothing to execute. */
export const FIXED_RECORDS = {
  /** The byte at `decodePhysical` is to be decoded; `rip` is set. */
  decode: 64,
  /** The fetch faulted; `rip` is set. */
  fault: 128,
  /** The driver is to look up the instruction at `rip` itself. */
  recheck: 192,
} as const;
export const FIXED_RECORDS_END = 256;
