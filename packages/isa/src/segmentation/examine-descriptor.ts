/**
 * Whether code may know of a descriptor: the rule that LAR, LSL, VERR and VERW share.
 *
 * Intel SDM Vol. 3A §5.10.1, "Checking Access Rights (LAR Instruction)"; §5.10.3, "Checking That the Pointer Offset Is
 * Within Limits (LSL Instruction)".
 */
import { hasBits } from "../exceptions/mode.ts";
import type { Routine } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { ATTRIBUTES, TYPE } from "./attributes.ts";
import {
  attributesOf,
  dplOf,
  findDescriptor,
  isCode,
  isNullSelector,
  NO_DESCRIPTOR,
} from "./descriptor.ts";

/** System types that LAR accepts, one bit for each type number. */
export const LAR_SYSTEM_TYPES: number = (1 << 0x2) | (1 << 0x9) | (1 << 0xb) | (1 << 0xc);
/** System types that LSL accepts: those that have a limit. */
export const LSL_SYSTEM_TYPES: number = (1 << 0x2) | (1 << 0x9) | (1 << 0xb);
/** Types of 16-bit TSSs and gates, and task gates, which exist outside IA-32e mode only. */
const LEGACY_TYPES = new Map([
  [LAR_SYSTEM_TYPES, (1 << 0x1) | (1 << 0x3) | (1 << 0x4) | (1 << 0x5)],
  [LSL_SYSTEM_TYPES, (1 << 0x1) | (1 << 0x3)],
]);

/**
 * Parameters: selector, and the bit set of system types accepted. Result: the descriptor's 8 bytes, or 0 when it is not
 * there, of another type, or hidden from the current CPL and the selector's RPL.
 */
export const examineDescriptor: Routine = {
  name: "examineDescriptor",
  parameters: ["i64", "i64"],
  result: "i64",
  raises: true,
  body(m, ...[selector, systemTypes]) {
    if (selector === undefined || systemTypes === undefined) {
      throw new RangeError("examineDescriptor takes two parameters.");
    }
    const result = m.variable(m.constant(0));
    const linear = m.call(findDescriptor, selector);
    const exists = m.both(
      m.isFalse(isNullSelector(m, selector)),
      m.notEqual(linear, m.constant(NO_DESCRIPTOR)),
    );
    m.when(exists, () => {
      const bits = m.load(linear, 8, "system");
      const attributes = attributesOf(m, bits);
      let accepted = systemTypes;
      for (const [longTypes, legacyTypes] of LEGACY_TYPES) {
        const applies = m.both(
          m.equal(systemTypes, m.constant(longTypes)),
          m.isZero(m.state(slots.longMode)),
        );
        accepted = m.select(applies, m.or(accepted, m.constant(legacyTypes)), accepted);
      }
      const type = m.and(attributes, m.constant(ATTRIBUTES.TYPE));
      const typeFits = m.either(
        hasBits(m, attributes, ATTRIBUTES.CODE_OR_DATA),
        m.notEqual(m.and(m.shiftRightUnsigned(accepted, type), m.constant(1)), m.constant(0)),
      );
      const isConforming = m.both(isCode(m, attributes), hasBits(m, attributes, TYPE.CONFORMING));
      const dpl = dplOf(m, attributes);
      const isHidden = m.either(
        m.lessThanUnsigned(dpl, m.state(slots.cpl)),
        m.lessThanUnsigned(dpl, m.and(selector, m.constant(3))),
      );
      const visible = m.both(typeFits, m.either(isConforming, m.isFalse(isHidden)));
      m.when(visible, () => m.set(result, bits));
    });
    return m.get(result);
  },
};
