/**
 * Writes decoded instructions as records, the form in which handlers read them (layout.ts, RECORD).
 */
import type { Decoded, Form, MemoryAddress } from "../decoder/decoded.ts";
import { VECTOR } from "../exceptions/vectors.ts";
import { registerOffset, segmentSlots, slots } from "../state/layout.ts";
import { CONTROL } from "./dispatch-function.ts";
import type { Interpreter } from "./dispatch.ts";
import { ENGINE, INSTRUCTION_BYTES_MAXIMUM, RECORD, RECORD_BYTES } from "./layout.ts";

const DS = 3;
const RSP = 4;

export class RecordWriter {
  readonly #handlerOf: (form: Form) => number;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u64: BigUint64Array;

  constructor(buffer: ArrayBuffer, interpreter: Interpreter) {
    this.#handlerOf = (form) => interpreter.handlerOf(form);
    this.#u8 = new Uint8Array(buffer);
    this.#u16 = new Uint16Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
  }

  /** A record that steers between others. Offsets are those in the page of the instruction it stands for. */
  control(at: number, handler: number, thisOffset: number, nextOffset: number = thisOffset): void {
    this.#u8.fill(0, at, at + RECORD_BYTES);
    this.#u16[(at + RECORD.handler.offset) >> 1] = handler;
    this.#u16[(at + RECORD.thisOffset.offset) >> 1] = thisOffset;
    this.#u16[(at + RECORD.nextOffset.offset) >> 1] = nextOffset;
  }

  /** Bytes that are no instruction: #UD, or #GP(0). Gives the address after the record. */
  raise(at: number, offset: number, vector: number): number {
    this.control(at, CONTROL.raise, offset);
    this.#u16[(at + RECORD.immediate2.offset) >> 1] = vector;
    this.#u8[at + RECORD.shift.offset] = vector === VECTOR.GP ? 1 : 0;
    this.#u8[at + RECORD.length.offset] = INSTRUCTION_BYTES_MAXIMUM;
    return at + RECORD_BYTES;
  }

  /** Writes the record of an instruction, with an address record before it where its addresses are not 64-bit ones. */
  instruction(start: number, offset: number, decoded: Decoded): number {
    const { memory, form } = decoded;
    let at = start;
    const addressed = memory !== undefined && (memory.addressWidth !== 64 || form.mode !== 64);
    if (addressed) {
      this.control(at, CONTROL.address, offset);
      this.#address(at, afterPop(form, memory), offset + decoded.lengthBytes);
      this.#u64[(at + RECORD.immediate.offset) >> 3] =
        memory.addressWidth === 64
          ? 0xffff_ffff_ffff_ffffn
          : (1n << BigInt(memory.addressWidth)) - 1n;
      this.#u8[at + RECORD.length.offset] = decoded.lengthBytes;
      at += RECORD_BYTES;
    }
    this.control(at, this.#handlerOf(form), offset, offset + decoded.lengthBytes);
    this.#u8[at + RECORD.length.offset] = decoded.lengthBytes;
    for (const operand of form.operands) {
      if (operand.source !== "reg" && operand.source !== "rm" && operand.source !== "opcode")
        continue;
      const number = decoded.registers[operand.index] ?? 0;
      this.#u16[(at + RECORD.operand0.offset + operand.index * 2) >> 1] = operandWord(
        operand.kind,
        number,
      );
    }
    this.#u64[(at + RECORD.immediate.offset) >> 3] = BigInt.asUintN(
      64,
      form.operands.some(({ source }) => source === "relative")
        ? decoded.relative
        : decoded.immediate,
    );
    this.#u16[(at + RECORD.immediate2.offset) >> 1] = decoded.immediate2;
    const override = decoded.segmentOverride === -1 ? DS : decoded.segmentOverride;
    this.#u16[(at + RECORD.segment.offset) >> 1] = segmentBaseOffset(override);
    this.#u16[(at + RECORD.base.offset) >> 1] = slots.zero.offset;
    this.#u16[(at + RECORD.index.offset) >> 1] = slots.zero.offset;
    if (addressed) {
      this.#u16[(at + RECORD.base.offset) >> 1] = slots.addressScratch.offset;
      this.#u16[(at + RECORD.segment.offset) >> 1] = ENGINE.segmentScratch.offset;
    } else if (memory !== undefined) {
      this.#address(at, memory, offset + decoded.lengthBytes);
    }
    return at + RECORD_BYTES;
  }

  #address(at: number, memory: NonNullable<Decoded["memory"]>, nextOffset: number): void {
    const relative = memory.base === -2;
    const base =
      memory.base === -1
        ? slots.zero.offset
        : relative
          ? slots.codePageRip.offset
          : registerOffset(memory.base);
    const displacement = relative ? memory.displacement + BigInt(nextOffset) : memory.displacement;
    this.#u16[(at + RECORD.base.offset) >> 1] = base;
    this.#u16[(at + RECORD.index.offset) >> 1] =
      memory.index === -1 ? slots.zero.offset : registerOffset(memory.index);
    this.#u8[at + RECORD.shift.offset] = memory.scaleShift;
    this.#u16[(at + RECORD.segment.offset) >> 1] = segmentBaseOffset(memory.segment);
    this.#u64[(at + RECORD.displacement.offset) >> 3] = BigInt.asUintN(64, displacement);
  }
}

/** The address as it is computed before the instruction, which pops before it looks at the stack pointer. */
function afterPop(form: Form, memory: MemoryAddress): MemoryAddress {
  if (form.instruction.popsBeforeAddress !== true || memory.base !== RSP) return memory;
  return { ...memory, displacement: memory.displacement + BigInt(form.width / 8) };
}

function segmentBaseOffset(segment: number): number {
  return segmentSlots(segment).effectiveBase.offset;
}

function operandWord(kind: string, number: number): number {
  switch (kind) {
    case "register":
      return registerOffset(number);
    case "xmm":
      return slots.xmm.offset + number * 16;
    case "mmx":
      return slots.x87.offset + number * 16;
    default:
      return number;
  }
}
