/**
 * From a RIP to the record to execute: what follows every transfer that is not inside one page.
 */
import { VECTOR } from "../exceptions/vectors.ts";
import { ACCESS_EXECUTE, ACCESS_USER } from "../paging/tag.ts";
import type { Routine, Value } from "../semantics.ts";
import type { Recorder } from "../micro-operations/recorder.ts";
import { isMarked } from "../segmentation/check-segment.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import {
  ENGINE,
  FIXED_RECORDS,
  FIXED_RECORDS_END,
  FRAME_ENTRY,
  INSTRUCTION_BYTES_MAXIMUM,
  RECORD,
  RECORD_BYTES,
  TLB_ENTRY,
} from "./layout.ts";
import { CONTROL } from "./dispatch-function.ts";
import { engineRoutine, faulted, frameEntry, isRam } from "./engine-routine.ts";
import { tlbSet } from "./translation.ts";

const PAGE_OFFSET = 0xfff;

/** Linear address of `rip`, which the base of a CS that has a limit marks, and its offset in the page. */
function linearRip(m: Recorder): { readonly linear: Value; readonly offset: Value } {
  const sum = m.add(m.state(slots.rip), m.state(slots.fetchBase), 64);
  const linear = m.and(sum, m.state(slots.linearMask));
  return { linear, offset: m.and(linear, m.constant(PAGE_OFFSET)) };
}

function recordAt(m: Recorder, codePage: Value, offset: Value): Value {
  const at = m.wasm("i32.add", [codePage, m.wasm("i32.shl", [m.toI32(offset), m.constantI32(2)])]);
  return m.hostLoad("i32.load", at);
}

function enterPage(m: Recorder, offset: Value): void {
  m.setState(slots.codePageRip, m.subtract(m.state(slots.rip), offset, 64));
}

/**
 * The record for the instruction at `rip`; a fixed record when it must be decoded first, or when its fetch faults.
 * Nothing is fetched when no unit is left: whoever goes on fetches, so that walks are counted once.
 */
export const lookup: Routine = engineRoutine("lookup", [], "i32", (m) => {
  m.when(m.isZero(m.state(slots.remaining)), () =>
    m.returnValue(m.constantI32(FIXED_RECORDS.decode)),
  );
  const { linear, offset } = linearRip(m);
  const page = m.shiftRightUnsigned(linear, m.constant(12));
  const entry = tlbSet(m, page);
  const tag = m.hostLoad("i64.load", entry, TLB_ENTRY.tag.offset);
  const hit = m.equal(m.and(tag, m.state(slots.executeMask)), page);
  const sameMode = m.equal(
    m.hostLoad("i64.load8_u", entry, TLB_ENTRY.codeMode.offset),
    m.state(slots.mode),
  );
  m.when(m.both(hit, sameMode), () => {
    const codePage = m.hostLoad("i32.load", entry, TLB_ENTRY.codePage.offset);
    m.when(codePage, () => {
      const record = recordAt(m, codePage, offset);
      m.when(record, () => {
        enterPage(m, offset);
        m.returnValue(record);
      });
    });
  });
  return m.callNamed("lookupSlowly", "i32", false, []);
});

/**
 * Code below a limit: RIP must not be beyond it. Where the limit lies in the page, or so close behind it that an
 * instruction from this page reaches it, each instruction is looked up on its own: control goes to the driver, which
 * takes single steps while `limitInPage` is set. Gives the linear address without its mark.
 */
function fetchBelowLimit(m: Recorder, marked: Value, offset: Value): Value {
  const linear = m.variable(marked);
  m.when(isMarked(m, marked), () => {
    const limit = m.state(segmentSlots(1).limit);
    m.set(linear, m.truncate(marked, 32));
    m.when(m.lessThanUnsigned(limit, m.state(slots.rip)), () => {
      recordGeneralProtection(m);
      m.returnValue(m.constantI32(FIXED_RECORDS.fault));
    });
    const untilPageEnd = m.subtract(m.constant(PAGE_OFFSET), offset, 64);
    const reach = m.add(untilPageEnd, m.constant(INSTRUCTION_BYTES_MAXIMUM - 1), 64);
    const isNear = m.lessThanUnsigned(limit, m.add(m.state(slots.rip), reach, 64));
    m.setState(slots.limitInPage, m.fromCondition(isNear));
    m.when(m.both(isNear, m.isZero(m.state(slots.stepsToLimit))), () =>
      m.returnValue(m.constantI32(FIXED_RECORDS.recheck)),
    );
  });
  return m.get(linear);
}

function recordGeneralProtection(m: Recorder): void {
  m.setState(slots.faultVector, m.constant(VECTOR.GP + 1));
  m.setState(slots.faultErrorCode, m.constant(0));
  m.setState(slots.faultHasErrorCode, m.constant(1));
}

/** In single steps to a limit: the instruction must end below it. An instruction in two pages has its length behind its first record. */
function returnBelowLimit(m: Recorder, record: Value): void {
  m.when(m.state(slots.stepsToLimit), () => {
    const handler = m.hostLoad("i64.load16_u", record, RECORD.handler.offset);
    const lengthAt = (bytes: number): Value =>
      m.hostLoad("i64.load8_u", record, RECORD.length.offset + bytes);
    const isStraddling = m.equal(handler, m.constant(CONTROL.straddle));
    const length = m.select(isStraddling, lengthAt(RECORD_BYTES), lengthAt(0));
    const end = m.add(m.state(slots.rip), length, 64);
    m.when(
      m.lessThanUnsigned(m.add(m.state(segmentSlots(1).limit), m.constant(1), 64), end),
      () => {
        recordGeneralProtection(m);
        m.returnValue(m.constantI32(FIXED_RECORDS.fault));
      },
    );
  });
  m.returnValue(record);
}

export const lookupSlowly: Routine = engineRoutine("lookupSlowly", [], "i32", (m) => {
  const { linear: marked, offset } = linearRip(m);
  const linear = fetchBelowLimit(m, marked, offset);
  const user = m.select(
    m.equal(m.state(slots.cpl), m.constant(3)),
    m.constant(ACCESS_USER),
    m.constant(0),
  );
  const entry = m.callNamed("resolve", "i32", false, [
    linear,
    m.or(user, m.constant(ACCESS_EXECUTE)),
  ]);
  m.when(m.notEqual(m.state(slots.faultVector), m.constant(0)), () =>
    m.returnValue(m.constantI32(FIXED_RECORDS.fault)),
  );
  const translation = m.hostLoad("i64.load", entry, TLB_ENTRY.translation.offset);
  const physical = m.or(m.and(translation, m.constant(~BigInt(PAGE_OFFSET))), offset);
  enterPage(m, offset);
  m.setState(ENGINE.decodePhysical, physical);
  m.when(isRam(m, physical), () => {
    const frame = frameEntry(m, physical);
    const codeMode = m.hostLoad("i64.load8_u", frame, FRAME_ENTRY.codeMode.offset);
    m.when(m.equal(codeMode, m.state(slots.mode)), () => {
      const codePage = m.hostLoad("i32.load", frame, FRAME_ENTRY.codePage.offset);
      m.when(codePage, () => {
        m.hostStore("i32.store", entry, codePage, TLB_ENTRY.codePage.offset);
        m.hostStore("i64.store8", entry, codeMode, TLB_ENTRY.codeMode.offset);
        const record = recordAt(m, codePage, offset);
        m.when(record, () => returnBelowLimit(m, record));
      });
    });
  });
  return m.constantI32(FIXED_RECORDS.decode);
});

/**
 * Raises #GP(0) when a relative jump in 64-bit code leads to an address that is not canonical: the jump itself faults,
 * with its own RIP, not what it leads to. The address is in `rip`.
 *
 * Intel SDM Vol. 2A, "JMP—Jump" and "Jcc—Jump if Condition Is Met" (64-bit mode exceptions).
 */
export function refuseUnreachable(m: Recorder, record: Value): void {
  const isWide = m.equal(m.state(slots.mode), m.constant(64));
  const isOutside = m.isFalse(m.isCanonical(m.state(slots.rip)));
  m.when(m.both(isWide, isOutside), () => {
    m.setState(slots.rip, ripOf(m, record));
    recordGeneralProtection(m);
    m.returnValue(m.constantI32(FIXED_RECORDS.fault));
  });
}

/** RIP of the instruction of a record in the current page. */
function ripOf(m: Recorder, record: Value): Value {
  const offset = m.hostLoad("i64.load16_u", record, RECORD.thisOffset.offset);
  return m.and(m.add(m.state(slots.codePageRip), offset, 64), m.state(slots.ripMask));
}

/** The record of a relative branch's target; inside one page it is kept in the branch's own record. */
export const link: Routine = engineRoutine("link", ["i32"], "i32", (m, ...values) => {
  const [record] = values;
  if (record === undefined) throw new RangeError("link takes a record.");
  const next = m.hostLoad("i64.load16_u", record, RECORD.nextOffset.offset);
  const offset = m.add(next, m.hostLoad("i64.load", record, RECORD.immediate.offset), 64);
  m.setState(
    slots.rip,
    m.and(m.add(m.state(slots.codePageRip), offset, 64), m.state(slots.ripMask)),
  );
  refuseUnreachable(m, record);
  const target = m.callNamed("lookup", "i32", false, []);
  // Beyond the limit of CS the jump itself faults, not what it leads to.
  m.when(m.both(isMarked(m, m.state(slots.fetchBase)), faulted(m)), () => {
    const isBeyond = m.lessThanUnsigned(m.state(segmentSlots(1).limit), m.state(slots.rip));
    m.setState(slots.rip, m.select(isBeyond, ripOf(m, record), m.state(slots.rip)));
  });
  const samePage = m.isZero(m.shiftRightUnsigned(offset, m.constant(12)));
  const decoded = m.lessThanUnsigned(m.constantI32(FIXED_RECORDS_END - 1), target);
  m.when(m.both(samePage, decoded), () =>
    m.hostStore("i32.store", record, target, RECORD.target.offset),
  );
  return target;
});

/** Physical page that the page after the current code page is fetched from, or all ones with a fault recorded. */
export const nextCodePage: Routine = engineRoutine("nextCodePage", [], "i64", (m) => {
  const here = m.add(m.state(slots.codePageRip), m.state(slots.fetchBase), 64);
  const sum = m.and(m.add(here, m.constant(PAGE_OFFSET + 1), 64), m.state(slots.linearMask));
  const linear = m.select(isMarked(m, sum), m.truncate(sum, 32), sum);
  const user = m.select(
    m.equal(m.state(slots.cpl), m.constant(3)),
    m.constant(ACCESS_USER),
    m.constant(0),
  );
  const entry = m.callNamed("resolve", "i32", false, [
    linear,
    m.or(user, m.constant(ACCESS_EXECUTE)),
  ]);
  m.when(m.notEqual(m.state(slots.faultVector), m.constant(0)), () =>
    m.returnValue(m.constant(-1n)),
  );
  return m.and(
    m.hostLoad("i64.load", entry, TLB_ENTRY.translation.offset),
    m.constant(~BigInt(PAGE_OFFSET)),
  );
});
