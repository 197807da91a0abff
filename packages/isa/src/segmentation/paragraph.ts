/**
 * Segments of real-address and virtual-8086 mode: a selector is a paragraph, 16 bytes times its value.
 *
 * Intel SDM Vol. 3B §21.1.1, "Address Translation in Real-Address Mode"; §21.2, "Virtual-8086 Mode".
 */
import { hasBits, updateMode } from "../exceptions/mode.ts";
import { RFLAGS } from "../profile/registers.ts";
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { setSegment } from "./segment-register.ts";

const [ES, CS, SS, DS, FS, GS] = [0, 1, 2, 3, 4, 5] as const;
/** Present, DPL 3, writable data that was accessed: what every segment register of virtual-8086 mode has. */
const VIRTUAL_8086_ATTRIBUTES = 0xf3;
const LIMIT = 0xffff;
/** All flags of EFLAGS that exist. */
const EFLAGS_IMAGE: bigint = Object.values(RFLAGS).reduce((all, flag) => all | flag, 0n);

/** INT n, IRET, PUSHF and POPF in virtual-8086 mode are for IOPL 3. Intel SDM Vol. 3B §21.2.7, "Sensitive Instructions". */
export function requireVirtual8086Iopl(m: SemanticsBuilder): void {
  if (m.mode !== 16) return;
  const flags = m.state(slots.flagsSystem);
  const lacksIopl = m.notEqual(m.and(flags, m.constant(RFLAGS.IOPL)), m.constant(RFLAGS.IOPL));
  m.raiseWhen(m.both(hasBits(m, flags, RFLAGS.VM), lacksIopl), "GP", m.constant(0));
}

/** Writes a segment register as virtual-8086 mode has it. Derived fields follow with updateMode. */
export function setVirtual8086Segment(m: SemanticsBuilder, index: number, selector: Value): void {
  const paragraph = m.and(selector, m.constant(LIMIT));
  setSegment(m, index, {
    selector: paragraph,
    base: m.shiftLeft(paragraph, m.constant(4), 64),
    limit: m.constant(LIMIT),
    attributes: m.constant(VIRTUAL_8086_ATTRIBUTES),
  });
}

/**
 * Far RET and IRET in real-address and virtual-8086 mode, without the flags. Parameters: IP, CS, and the bytes to
 * release. Raises #GP(0) when IP is beyond the limit of CS. Leaves `rip` in the state.
 */
export const returnToParagraph: Routine = {
  name: "returnToParagraph",
  parameters: ["i64", "i64", "i64"],
  result: undefined,
  raises: true,
  body(m, ...[rip, selector, releasedBytes]) {
    if (rip === undefined || selector === undefined || releasedBytes === undefined)
      throw new RangeError("returnToParagraph takes three parameters.");
    const cs = segmentSlots(CS);
    m.raiseWhen(m.lessThanUnsigned(m.state(cs.limit), rip), "GP", m.constant(0));
    m.setState(cs.selector, selector);
    m.setState(cs.base, m.shiftLeft(selector, m.constant(4), 64));
    const mask = m.state(slots.stackMask);
    const old = m.register(4, 64);
    const moved = m.and(m.add(old, releasedBytes, 64), mask);
    m.setRegister(4, m.or(m.and(old, m.not(mask, 64)), moved), 64);
    m.call(updateMode);
    m.setState(slots.rip, rip);
  },
};

/**
 * IRET at CPL 0 to virtual-8086 mode. Parameters: EIP, CS, EFLAGS, ESP, SS, and for ES, DS, FS and GS the image that was
 * popped. Leaves `rip` in the state. Intel SDM Vol. 3B §21.2.5, "Entering Virtual-8086 Mode".
 */
export const returnToVirtual8086: Routine = {
  name: "returnToVirtual8086",
  parameters: ["i64", "i64", "i64", "i64", "i64", "i64", "i64", "i64", "i64"],
  result: undefined,
  raises: true,
  body(m, ...values) {
    const [rip, cs, flags, rsp, ss, es, ds, fs, gs] = values;
    if (rip === undefined || cs === undefined || flags === undefined || rsp === undefined)
      throw new RangeError("returnToVirtual8086 takes nine parameters.");
    m.raiseWhen(m.lessThanUnsigned(m.constant(LIMIT), rip), "GP", m.constant(0));
    for (const [index, selector] of [
      [ES, es],
      [CS, cs],
      [SS, ss],
      [DS, ds],
      [FS, fs],
      [GS, gs],
    ] as const) {
      if (selector === undefined)
        throw new RangeError("returnToVirtual8086 takes nine parameters.");
      setVirtual8086Segment(m, index, selector);
    }
    m.setRegister(4, m.truncate(rsp, 32), 64);
    m.writeFlagsRegister(flags, m.constant(EFLAGS_IMAGE));
    m.setPrivilegeLevel(m.constant(3));
    m.call(updateMode);
    m.setState(slots.rip, rip);
  },
};
