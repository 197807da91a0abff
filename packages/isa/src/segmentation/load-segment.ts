/**
 * Loading ES, SS, DS, FS and GS by selector, as MOV, POP and the LDS family do.
 *
 * Intel SDM Vol. 2B, "MOV—Move" (operation); Vol. 3A §5.6, "Privilege Level Checking When Accessing Data Segments";
 * §5.7, "Privilege Level Checking When Loading the SS Register".
 */
import { isProtected, updateMode } from "../exceptions/mode.ts";
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { SEGMENT_STRIDE, segmentSlots, slots } from "../state/layout.ts";
import { ATTRIBUTES, TYPE } from "./attributes.ts";
import {
  attributesOf,
  dplOf,
  isCode,
  isNullSelector,
  isWritableData,
  markAccessed,
  readDescriptor,
  selectorError,
} from "./descriptor.ts";
import { nullSegment, segmentFromDescriptor, setSegment } from "./segment-register.ts";

const SS = 2;

/**
 * Loads segment register `index` (0 ES, 2 SS, 3 DS, 4 FS, 5 GS) with a selector, and recomputes what follows.
 *
 * Parameters: the register's number and the selector. Raises #GP, #SS or #NP with the selector.
 */
export const loadSegment: Routine = {
  name: "loadSegment",
  parameters: ["i64", "i64"],
  result: undefined,
  raises: true,
  body(m, ...[index, value]) {
    if (index === undefined || value === undefined)
      throw new RangeError("loadSegment takes two parameters.");
    const selector = m.and(value, m.constant(0xffff));
    m.when(
      isProtected(m),
      () => {
        m.when(
          m.equal(index, m.constant(SS)),
          () => loadStackSegment(m, selector),
          () => loadDataSegment(m, index, selector),
        );
      },
      () => {
        // Real-address and virtual-8086 mode: only the selector and the base change.
        // Intel SDM Vol. 3B §21.1.1, "Address Translation in Real-Address Mode".
        const at = m.multiply(index, m.constant(SEGMENT_STRIDE));
        m.setStateAt(segmentSlots(0).selector, at, selector);
        m.setStateAt(segmentSlots(0).base, at, m.shiftLeft(selector, m.constant(4)));
      },
    );
    m.call(updateMode);
  },
};

function loadStackSegment(m: SemanticsBuilder, selector: Value): void {
  const cpl = m.state(slots.cpl);
  const rpl = m.and(selector, m.constant(3));
  m.when(
    isNullSelector(m, selector),
    () => {
      // Only 64-bit mode runs without a stack segment, and never at CPL 3.
      const allowed = m.both(
        m.equal(m.state(slots.mode), m.constant(64)),
        m.both(m.lessThanUnsigned(cpl, m.constant(3)), m.equal(rpl, cpl)),
      );
      m.raiseWhen(m.isFalse(allowed), "GP", m.constant(0));
      setSegment(m, SS, nullSegment(m, selector, cpl));
    },
    () => {
      const found = readDescriptor(m, selector, "GP");
      const attributes = attributesOf(m, found.bits);
      const fits = m.both(
        isWritableData(m, attributes),
        m.both(m.equal(rpl, cpl), m.equal(dplOf(m, attributes), cpl)),
      );
      m.raiseWhen(m.isFalse(fits), "GP", selectorError(m, selector));
      m.raiseWhen(
        m.isZero(m.and(attributes, m.constant(ATTRIBUTES.PRESENT))),
        "SS",
        selectorError(m, selector),
      );
      markAccessed(m, found);
      setSegment(m, SS, segmentFromDescriptor(m, selector, found.bits));
    },
  );
}

function loadDataSegment(m: SemanticsBuilder, index: Value, selector: Value): void {
  m.when(
    isNullSelector(m, selector),
    () => setSegment(m, index, nullSegment(m, selector)),
    () => {
      const found = readDescriptor(m, selector, "GP");
      const attributes = attributesOf(m, found.bits);
      const code = isCode(m, attributes);
      const isReadable = m.either(
        m.isFalse(code),
        m.notEqual(m.and(attributes, m.constant(TYPE.WRITABLE_OR_READABLE)), m.constant(0)),
      );
      const isSegment = m.notEqual(
        m.and(attributes, m.constant(ATTRIBUTES.CODE_OR_DATA)),
        m.constant(0),
      );
      const isConforming = m.both(
        code,
        m.notEqual(m.and(attributes, m.constant(TYPE.CONFORMING)), m.constant(0)),
      );
      const dpl = dplOf(m, attributes);
      const isPrivileged = m.both(
        m.isFalse(isConforming),
        m.either(
          m.lessThanUnsigned(dpl, m.state(slots.cpl)),
          m.lessThanUnsigned(dpl, m.and(selector, m.constant(3))),
        ),
      );
      const refused = m.either(m.isFalse(m.both(isSegment, isReadable)), isPrivileged);
      m.raiseWhen(refused, "GP", selectorError(m, selector));
      m.raiseWhen(
        m.isZero(m.and(attributes, m.constant(ATTRIBUTES.PRESENT))),
        "NP",
        selectorError(m, selector),
      );
      markAccessed(m, found);
      setSegment(m, index, segmentFromDescriptor(m, selector, found.bits));
    },
  );
}
