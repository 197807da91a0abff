/**
 * The cache of decoded code: from bytes in physical memory to records, and back to nothing when the bytes change.
 *
 * Code is decoded in runs, from where control arrived to an instruction that ends the run, the end of the page, or code
 * that is decoded already. A code page maps each offset of a frame to its record, for one mode of code. Records that
 * were overwritten become `decode` records in place, so that branches that still point at them are harmless. When the
 * region is full, everything is forgotten at once.
 */
import type { Decoder } from "../decoder/decoded.ts";
import { isDecodeFault } from "../decoder/decoded.ts";
import { VECTOR } from "../exceptions/vectors.ts";
import { DENY_SUPERVISOR_WRITE, DENY_USER_WRITE, TAG_DENIAL_SHIFT } from "../paging/tag.ts";
import type { HostMemory } from "../memory/host-memory.ts";
import { CONTROL } from "./dispatch-function.ts";
import type { Interpreter } from "./dispatch.ts";
import { RecordWriter } from "./record-writer.ts";
import {
  CODE_PAGE_BYTES,
  FIXED_RECORDS,
  FRAME_BYTES,
  FRAME_ENTRY,
  FRAME_ENTRY_BYTES,
  FRAME_IS_RAM,
  INSTRUCTION_BYTES_MAXIMUM,
  RECORD,
  RECORD_BYTES,
  TLB_ENTRY,
  TLB_ENTRY_BYTES,
  TLB_OFFSET,
  TLB_SETS,
} from "./layout.ts";

const RUN_MAXIMUM = 64;
const LINE_BYTES = 64;
const LINE_SHIFT = 6;
/** Room for a run's records with two control records each, and what ends it. */
const RUN_BYTES = RECORD_BYTES * (RUN_MAXIMUM * 3 + 4);

type Mode = 16 | 32 | 64;

/** Physical page that holds the rest of an instruction at the end of a page; undefined when its fetch faults. */
export type NextPage = () => number | undefined;

export class CodeCache {
  readonly #decoder: Decoder;
  readonly #writer: RecordWriter;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #u64: BigUint64Array;
  readonly #layout: HostMemory["layout"];
  readonly #physicalBytes: number;
  /** Code page of a frame and mode. */
  readonly #pages = new Map<number, number>();
  /** Straddling instructions by the frame that holds their end. */
  readonly #straddlers = new Map<
    number,
    { readonly frame: number; readonly mode: Mode; readonly offset: number }[]
  >();
  #free: number;
  /** Offsets in a page at which a debugger may want to stop. */
  #stopOffsets: ReadonlySet<number> = new Set();
  /** How often everything was forgotten, for statistics. */
  flushes = 0;

  constructor(memory: HostMemory, decoder: Decoder, interpreter: Interpreter) {
    const { buffer } = memory.wasm;
    this.#decoder = decoder;
    this.#writer = new RecordWriter(buffer, interpreter);
    this.#u8 = new Uint8Array(buffer);
    this.#u16 = new Uint16Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#layout = memory.layout;
    this.#physicalBytes = memory.physical.sizeBytes;
    this.#free = memory.layout.codeCache;
    this.#writer.control(FIXED_RECORDS.decode, CONTROL.fixedDecode, 0);
    this.#writer.control(FIXED_RECORDS.fault, CONTROL.fixedFault, 0);
    this.#writer.control(FIXED_RECORDS.recheck, CONTROL.fixedRecheck, 0);
  }

  /**
   * Makes sure that the instruction at a physical address has a record.
   *
   * @param physical Address of its first byte.
   * Differs from the SDM: code is not fetched from the registers of a device; what lies there is an undefined opcode.
   *
   * @returns `fault` when fetching the rest of the instruction, in the next page, faults; `no-memory` when there is no
   * RAM, where every byte reads as 0xff and so no instruction is.
   */
  decode(physical: number, mode: Mode, nextPage: NextPage): "decoded" | "fault" | "no-memory" {
    if (physical >= this.#physicalBytes) return "no-memory";
    const frame = Math.floor(physical / FRAME_BYTES);
    const entry = this.#layout.frameTable + frame * FRAME_ENTRY_BYTES;
    if (((this.#u8[entry + FRAME_ENTRY.flags.offset] ?? 0) & FRAME_IS_RAM) === 0)
      return "no-memory";
    if (
      this.#free + CODE_PAGE_BYTES + RUN_BYTES >
      this.#layout.codeCache + this.#layout.codeCacheBytes
    )
      this.#flush();
    const key = pageKey(frame, mode);
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = this.#free;
      this.#free += CODE_PAGE_BYTES;
      this.#u8.fill(0, page, page + CODE_PAGE_BYTES);
      this.#pages.set(key, page);
    }
    this.#u32[(entry + FRAME_ENTRY.codePage.offset) >> 2] = page;
    this.#u8[entry + FRAME_ENTRY.codeMode.offset] = mode;
    const offset = physical % FRAME_BYTES;
    if (this.#u32[(page >> 2) + offset] !== 0) return "decoded";
    return this.#decodeRun(page, frame, offset, mode, nextPage) ? "decoded" : "fault";
  }

  /** Puts a {@link CONTROL.breakpoint} in front of every instruction at one of these offsets in its page. */
  setStopOffsets(offsets: ReadonlySet<number>): void {
    this.#stopOffsets = offsets;
    this.#flush();
  }

  /** Gives the address for the record of the instruction itself. */
  #stopBefore(at: number, offset: number, lengthBytes: number): number {
    if (!this.#stopOffsets.has(offset)) return at;
    this.#writer.control(at, CONTROL.breakpoint, offset);
    this.#u8[at + RECORD.length.offset] = lengthBytes;
    return at + RECORD_BYTES;
  }

  #decodeRun(page: number, frame: number, start: number, mode: Mode, nextPage: NextPage): boolean {
    const bytesAt = this.#layout.physicalBase + frame * FRAME_BYTES;
    const bytes = this.#u8.subarray(bytesAt, bytesAt + FRAME_BYTES);
    const map = page >> 2;
    let at = this.#free;
    let offset = start;
    let decoded = 0;
    for (;;) {
      if (offset >= FRAME_BYTES) {
        this.#writer.control(at, CONTROL.nextPage, offset);
        at += RECORD_BYTES;
        break;
      }
      const known = this.#u32[map + offset] ?? 0;
      if (known !== 0) {
        this.#writer.control(at, CONTROL.goto, offset);
        this.#u32[(at + RECORD.target.offset) >> 2] = known;
        at += RECORD_BYTES;
        break;
      }
      if (decoded >= RUN_MAXIMUM) {
        this.#writer.control(at, CONTROL.decode, offset);
        at += RECORD_BYTES;
        break;
      }
      const result = this.#decoder.decode(
        bytes,
        offset,
        Math.min(INSTRUCTION_BYTES_MAXIMUM, FRAME_BYTES - offset),
        { mode },
      );
      if (isDecodeFault(result)) {
        if (result.fault === "more" && FRAME_BYTES - offset < INSTRUCTION_BYTES_MAXIMUM) {
          if (decoded > 0) {
            // Reached in sequence; whether the next page can be fetched is asked when control gets there.
            this.#writer.control(at, CONTROL.decode, offset);
            at += RECORD_BYTES;
            break;
          }
          return this.#decodeStraddling(page, frame, offset, mode, nextPage);
        }
        this.#u32[map + offset] = at;
        at = this.#stopBefore(at, offset, INSTRUCTION_BYTES_MAXIMUM);
        at = this.#writer.raise(at, offset, result.fault === "UD" ? VECTOR.UD : VECTOR.GP);
        this.#markLines(frame, offset, Math.min(INSTRUCTION_BYTES_MAXIMUM, FRAME_BYTES - offset));
        break;
      }
      this.#u32[map + offset] = at;
      at = this.#stopBefore(at, offset, result.lengthBytes);
      at = this.#writer.instruction(at, offset, result);
      this.#markLines(frame, offset, result.lengthBytes);
      decoded += 1;
      offset += result.lengthBytes;
      if (result.form.instruction.ends === true) {
        if (offset >= FRAME_BYTES) this.#writer.control(at, CONTROL.nextPage, offset);
        else this.#writer.control(at, CONTROL.decode, offset);
        at += RECORD_BYTES;
        break;
      }
    }
    this.#free = at;
    return true;
  }

  /** An instruction whose end lies in the next page, decoded alone. */
  #decodeStraddling(
    page: number,
    frame: number,
    offset: number,
    mode: Mode,
    nextPage: NextPage,
  ): boolean {
    const next = nextPage();
    if (next === undefined) return false;
    const here = FRAME_BYTES - offset;
    const bytes = new Uint8Array(INSTRUCTION_BYTES_MAXIMUM).fill(0xff);
    const from = this.#layout.physicalBase + frame * FRAME_BYTES + offset;
    bytes.set(this.#u8.subarray(from, from + here));
    if (next < this.#physicalBytes) {
      const rest = this.#layout.physicalBase + next;
      bytes.set(this.#u8.subarray(rest, rest + INSTRUCTION_BYTES_MAXIMUM - here), here);
    }
    const result = this.#decoder.decode(bytes, 0, INSTRUCTION_BYTES_MAXIMUM, { mode });
    let at = this.#free;
    this.#u32[(page >> 2) + offset] = at;
    at = this.#stopBefore(at, offset, here);
    this.#writer.control(at, CONTROL.straddle, offset);
    this.#u64[(at + RECORD.immediate.offset) >> 3] = BigInt(next);
    const straddle = at;
    at += RECORD_BYTES;
    let length = INSTRUCTION_BYTES_MAXIMUM;
    if (isDecodeFault(result)) {
      at = this.#writer.raise(at, offset, result.fault === "UD" ? VECTOR.UD : VECTOR.GP);
    } else {
      length = result.lengthBytes;
      at = this.#writer.instruction(at, offset, result);
      this.#writer.control(at, CONTROL.nextPage, offset + length);
      at += RECORD_BYTES;
    }
    this.#u8[straddle + RECORD.length.offset] = Math.min(length, here);
    this.#free = at;
    this.#markLines(frame, offset, here);
    if (next < this.#physicalBytes && length > here) {
      const nextFrame = next / FRAME_BYTES;
      this.#markLines(nextFrame, 0, length - here);
      const known = this.#straddlers.get(nextFrame) ?? [];
      known.push({ frame, mode, offset });
      this.#straddlers.set(nextFrame, known);
    }
    return true;
  }

  #markLines(frame: number, offset: number, lengthBytes: number): void {
    const at =
      (this.#layout.frameTable + frame * FRAME_ENTRY_BYTES + FRAME_ENTRY.codeLines.offset) >> 3;
    const before = this.#u64[at] ?? 0n;
    let lines = before;
    const last = Math.min(offset + lengthBytes, FRAME_BYTES) - 1;
    for (let line = offset >> LINE_SHIFT; line <= last >> LINE_SHIFT; line += 1)
      lines |= 1n << BigInt(line);
    if (lines === before) return;
    this.#u64[at] = lines;
    if (before === 0n) this.#denyFastWrites(frame);
  }

  /** TLB entries of a frame that now has code: writes to it go the slow way from here on. */
  #denyFastWrites(frame: number): void {
    const denial = BigInt(DENY_SUPERVISOR_WRITE | DENY_USER_WRITE) << BigInt(TAG_DENIAL_SHIFT);
    const physical = BigInt(frame) << 12n;
    this.#eachTlbEntry((entry) => {
      const translation = this.#u64[(entry + TLB_ENTRY.translation.offset) >> 3] ?? 0n;
      if ((translation & 0x000f_ffff_ffff_f000n) !== physical) return;
      this.#u64[entry >> 3] = (this.#u64[entry >> 3] ?? 0n) | denial;
    });
  }

  #eachTlbEntry(visit: (entry: number) => void): void {
    const first = this.#layout.processorBlock + TLB_OFFSET;
    const end = first + TLB_SETS * 2 * TLB_ENTRY_BYTES;
    for (let entry = first; entry < end; entry += TLB_ENTRY_BYTES) visit(entry);
  }

  /** The record at an offset of a frame, or 0. */
  recordAt(physical: number, mode: Mode): number {
    if (physical >= this.#physicalBytes) return 0;
    const frame = Math.floor(physical / FRAME_BYTES);
    const page = this.#pages.get(frame * 3 + (mode === 64 ? 0 : mode === 32 ? 1 : 2));
    return page === undefined ? 0 : (this.#u32[(page >> 2) + (physical % FRAME_BYTES)] ?? 0);
  }

  /** Turns a stale record into a jump to the one that replaced it. */
  forward(stale: number, record: number): void {
    if (stale === record) return;
    this.#u16[(stale + RECORD.handler.offset) >> 1] = CONTROL.goto;
    this.#u32[(stale + RECORD.target.offset) >> 2] = record;
  }

  /** Whether a record is the one in front of an instruction in two pages. */
  straddles(record: number): boolean {
    return this.#u16[(record + RECORD.handler.offset) >> 1] === CONTROL.straddle;
  }

  /** Forgets the record of the instruction at a physical address, so that it is decoded again. */
  forget(physical: number, mode: Mode): void {
    const page = this.#pages.get(pageKey(Math.floor(physical / FRAME_BYTES), mode));
    if (page !== undefined) this.#u32[(page >> 2) + (physical % FRAME_BYTES)] = 0;
  }

  /** Whether an address belongs to the records of this cache as it is now. */
  owns(record: number): boolean {
    return record >= this.#layout.codeCache && record < this.#free;
  }

  /** Forgets the code decoded from lines that were written. */
  written(physical: number, lengthBytes: number): void {
    if (physical >= this.#physicalBytes) return;
    const frame = Math.floor(physical / FRAME_BYTES);
    const entry =
      (this.#layout.frameTable + frame * FRAME_ENTRY_BYTES + FRAME_ENTRY.codeLines.offset) >> 3;
    let lines = this.#u64[entry] ?? 0n;
    if (lines === 0n) return;
    const offset = physical % FRAME_BYTES;
    const lastLine = (offset + lengthBytes - 1) >> LINE_SHIFT;
    let touched = false;
    for (let line = offset >> LINE_SHIFT; line <= lastLine; line += 1) {
      const bit = 1n << BigInt(line);
      if ((lines & bit) === 0n) continue;
      lines &= ~bit;
      touched = true;
      this.#forgetLine(frame, line);
    }
    if (touched) this.#u64[entry] = lines;
  }

  #forgetLine(frame: number, line: number): void {
    const lineStart = line * LINE_BYTES;
    for (const key of [0, 1, 2]) {
      const page = this.#pages.get(frame * 3 + key);
      if (page === undefined) continue;
      for (
        let offset = Math.max(0, lineStart - INSTRUCTION_BYTES_MAXIMUM + 1);
        offset < lineStart + LINE_BYTES;
        offset += 1
      ) {
        const record = this.#u32[(page >> 2) + offset] ?? 0;
        if (record === 0 || offset + (this.#u8[record + RECORD.length.offset] ?? 0) <= lineStart)
          continue;
        this.#forget(page, offset, record);
      }
    }
    if (line !== 0) return;
    for (const { frame: first, mode, offset } of this.#straddlers.get(frame) ?? []) {
      const page = this.#pages.get(first * 3 + (mode === 64 ? 0 : mode === 32 ? 1 : 2));
      const record = page === undefined ? 0 : (this.#u32[(page >> 2) + offset] ?? 0);
      if (page !== undefined && record !== 0) this.#forget(page, offset, record);
    }
    this.#straddlers.delete(frame);
  }

  #forget(page: number, offset: number, record: number): void {
    this.#u32[(page >> 2) + offset] = 0;
    this.#u16[(record + RECORD.handler.offset) >> 1] = CONTROL.decode;
  }

  #flush(): void {
    for (const key of this.#pages.keys()) {
      const entry = this.#layout.frameTable + Math.floor(key / 3) * FRAME_ENTRY_BYTES;
      this.#u32[(entry + FRAME_ENTRY.codePage.offset) >> 2] = 0;
      this.#u8[entry + FRAME_ENTRY.codeMode.offset] = 0;
      this.#u64[(entry + FRAME_ENTRY.codeLines.offset) >> 3] = 0n;
    }
    for (const frame of this.#straddlers.keys()) {
      this.#u64[
        (this.#layout.frameTable + frame * FRAME_ENTRY_BYTES + FRAME_ENTRY.codeLines.offset) >> 3
      ] = 0n;
    }
    this.#eachTlbEntry((entry) => {
      this.#u32[(entry + TLB_ENTRY.codePage.offset) >> 2] = 0;
    });
    this.#pages.clear();
    this.#straddlers.clear();
    this.#free = this.#layout.codeCache;
    this.flushes += 1;
  }
}

function pageKey(frame: number, mode: Mode): number {
  return frame * 3 + (mode === 64 ? 0 : mode === 32 ? 1 : 2);
}
