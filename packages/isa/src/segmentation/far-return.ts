/**
 * Returns through CS: what IRET and far RET share, to the same or an outer privilege level.
 *
 * Intel SDM Vol. 2A, "IRET/IRETD/IRETQ—Interrupt Return"; Vol. 2B, "RET—Return From Procedure";
 * Vol. 3A §5.8.6, "Returning from a Called Procedure".
 */
import { hasBits, updateMode } from "../exceptions/mode.ts";
import { withPrivilege } from "../exceptions/delivery.ts";
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { ATTRIBUTES, TYPE } from "./attributes.ts";
import {
  attributesOf,
  dplOf,
  isCode,
  isNullSelector,
  isWritableData,
  limitOf,
  markAccessed,
  readDescriptor,
  selectorError,
} from "./descriptor.ts";
import { nullSegment, segmentFromDescriptor, setSegment } from "./segment-register.ts";

const CS = 1;
const SS = 2;
/** ES, DS, FS and GS. */
const DATA_SEGMENTS = [0, 3, 4, 5] as const;

/**
 * Returns to CS:RIP, and to SS:RSP when `loadsStack` is 1.
 *
 * Parameters: RIP, CS selector, RSP, SS selector, loadsStack, and bytes to add to the stack pointer when the stack is
 * not loaded. Everything is checked before anything is written. Raises #GP, #NP and #SS. Leaves `rip` in the state.
 */
export const returnFar: Routine = {
  name: "returnFar",
  parameters: ["i64", "i64", "i64", "i64", "i64", "i64"],
  result: undefined,
  raises: true,
  body(m, ...[rip, csSelector, rsp, ssSelector, loadsStack, releasedBytes]) {
    if (
      rip === undefined ||
      csSelector === undefined ||
      rsp === undefined ||
      ssSelector === undefined ||
      loadsStack === undefined ||
      releasedBytes === undefined
    ) {
      throw new RangeError("returnFar takes six parameters.");
    }
    const cpl = m.state(slots.cpl);
    const level = m.and(csSelector, m.constant(3));
    m.raiseWhen(isNullSelector(m, csSelector), "GP", m.constant(0));
    const cs = readDescriptor(m, csSelector, "GP");
    const csAttributes = attributesOf(m, cs.bits);
    const csError = selectorError(m, csSelector);
    const dpl = dplOf(m, csAttributes);
    const levelFits = m.select(
      hasBits(m, csAttributes, TYPE.CONFORMING),
      m.isFalse(m.lessThanUnsigned(level, dpl)),
      m.equal(level, dpl),
    );
    const usable = m.both(
      m.both(isCode(m, csAttributes), levelFits),
      m.isFalse(m.lessThanUnsigned(level, cpl)),
    );
    m.raiseWhen(m.isFalse(usable), "GP", csError);
    const isLong = m.both(m.state(slots.longMode), hasBits(m, csAttributes, ATTRIBUTES.LONG));
    m.raiseWhen(m.both(isLong, hasBits(m, csAttributes, ATTRIBUTES.BIG)), "GP", csError);
    m.raiseWhen(m.isFalse(hasBits(m, csAttributes, ATTRIBUTES.PRESENT)), "NP", csError);
    const reachable = m.select(
      isLong,
      m.isCanonical(rip),
      m.isFalse(m.lessThanUnsigned(limitOf(m, cs.bits), rip)),
    );

    // The store of the accessed flag can fault, so it comes before the first register changes.
    const acceptCode = (): void => {
      m.raiseWhen(m.isFalse(reachable), "GP", m.constant(0));
      markAccessed(m, cs);
    };

    m.when(
      loadsStack,
      () => {
        m.when(
          isNullSelector(m, ssSelector),
          () => {
            // Only 64-bit code above privilege level 3 runs without a stack segment.
            const allowed = m.both(
              m.both(isLong, m.notEqual(level, m.constant(3))),
              m.equal(m.and(ssSelector, m.constant(3)), level),
            );
            m.raiseWhen(m.isFalse(allowed), "GP", m.constant(0));
            acceptCode();
            setSegment(m, SS, nullSegment(m, ssSelector, level));
          },
          () => {
            const ss = readDescriptor(m, ssSelector, "GP");
            const ssAttributes = attributesOf(m, ss.bits);
            const fits = m.both(
              isWritableData(m, ssAttributes),
              m.both(
                m.equal(m.and(ssSelector, m.constant(3)), level),
                m.equal(dplOf(m, ssAttributes), level),
              ),
            );
            m.raiseWhen(m.isFalse(fits), "GP", selectorError(m, ssSelector));
            m.raiseWhen(
              m.isFalse(hasBits(m, ssAttributes, ATTRIBUTES.PRESENT)),
              "SS",
              selectorError(m, ssSelector),
            );
            acceptCode();
            markAccessed(m, ss);
            setSegment(m, SS, segmentFromDescriptor(m, ssSelector, ss.bits));
          },
        );
        writeStackPointer(m, rsp, isLong);
      },
      () => {
        acceptCode();
        const mask = m.state(slots.stackMask);
        const old = m.register(4, 64);
        m.setRegister(4, m.or(m.and(old, m.not(mask)), m.and(m.add(old, releasedBytes), mask)), 64);
      },
    );

    setSegment(m, CS, segmentFromDescriptor(m, withPrivilege(m, csSelector, level), cs.bits));
    m.when(m.lessThanUnsigned(cpl, level), () => {
      dropInnerSegments(m, level);
      m.setPrivilegeLevel(level);
    });
    m.call(updateMode);
    m.setState(slots.rip, rip);
  },
};

/** Writes RSP, or its low half or quarter when the stack segment is a 32-bit or 16-bit one. */
function writeStackPointer(m: SemanticsBuilder, rsp: Value, isLong: Value): void {
  const big = hasBits(m, m.state(segmentSlots(SS).attributes), ATTRIBUTES.BIG);
  const narrow = m.select(big, m.constant(0xffff_ffffn), m.constant(0xffff));
  const mask = m.select(isLong, m.constant(-1n), narrow);
  // A 32-bit stack pointer leaves nothing above it; only a 16-bit one keeps what is there.
  const kept = m.select(
    m.equal(mask, m.constant(0xffff)),
    m.and(m.register(4, 64), m.constant(0xffff_0000n)),
    m.constant(0),
  );
  m.setRegister(4, m.or(m.and(rsp, mask), kept), 64);
}

/**
 * Empties data segment registers that the outer level may not use.
 * Intel SDM Vol. 3A §5.8.6, "Returning from a Called Procedure".
 */
function dropInnerSegments(m: SemanticsBuilder, level: Value): void {
  for (const index of DATA_SEGMENTS) {
    const segment = segmentSlots(index);
    const attributes = m.state(segment.attributes);
    const isConforming = m.both(isCode(m, attributes), hasBits(m, attributes, TYPE.CONFORMING));
    const isUsable = m.isFalse(hasBits(m, attributes, ATTRIBUTES.UNUSABLE));
    const isInner = m.lessThanUnsigned(dplOf(m, attributes), level);
    m.when(m.both(m.both(isUsable, m.isFalse(isConforming)), isInner), () => {
      m.setState(segment.selector, m.constant(0));
      m.setState(segment.attributes, m.constant(ATTRIBUTES.UNUSABLE));
    });
  }
}
