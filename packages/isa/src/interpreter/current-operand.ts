/** The operands of an instruction, read back from its record: for extensions whose exits say what was accessed. */
import type { CurrentOperand } from "../extension.ts";
import { SEGMENT_STRIDE, segmentSlots, slots, type Slot } from "../state/layout.ts";
import type { ProcessorState } from "../state/processor-state.ts";
import { FIXED_RECORDS_END, RECORD, RECORD_BYTES } from "./layout.ts";

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** The memory and register operands of a record; undefined for a record that is no instruction. */
export function operandOf(state: ProcessorState, record: number): CurrentOperand | undefined {
  if (record < FIXED_RECORDS_END) return undefined;
  const view = new DataView(state.buffer);
  const word = (at: number, field: Slot): number => view.getUint16(at + field.offset, true);
  const isAddressed = word(record, RECORD.base) === slots.addressScratch.offset;
  const at = isAddressed ? record - RECORD_BYTES : record;
  const register = (offset: number): number =>
    offset < slots.rip.offset ? offset / 8 : offset === slots.codePageRip.offset ? -2 : -1;
  const segments = segmentSlots(0).effectiveBase.offset;
  return {
    lengthBytes: view.getUint8(record + RECORD.length.offset),
    base: register(word(at, RECORD.base)),
    index: register(word(at, RECORD.index)),
    scaleShift: view.getUint8(at + RECORD.shift.offset),
    segment: (word(at, RECORD.segment) - segments) / SEGMENT_STRIDE,
    displacement: view.getBigUint64(at + RECORD.displacement.offset, true),
    addressMask: isAddressed ? view.getBigUint64(at + RECORD.immediate.offset, true) : ALL_ONES,
    registers: [RECORD.operand0, RECORD.operand1, RECORD.operand2].map((field) =>
      Math.floor(word(record, field) / 8),
    ),
  };
}
