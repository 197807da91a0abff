/**
 * Loading LDTR and TR.
 *
 * In IA-32e mode their descriptors are 16 bytes: the upper 8 hold bits 63:32 of the base.
 * Intel SDM Vol. 3A §3.5.2, "Segment Descriptor Tables in IA-32e Mode"; §8.2.3, "TSS Descriptor in 64-bit mode".
 */
import { hasBits } from "../exceptions/mode.ts";
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { ATTRIBUTES, SYSTEM_TYPE } from "./attributes.ts";
import {
  attributesOf,
  baseOf,
  isNullSelector,
  limitOf,
  readDescriptor,
  selectorError,
  type FoundDescriptor,
} from "./descriptor.ts";
import { nullSegment, setSegment } from "./segment-register.ts";

const LDTR = 6;
const TR = 7;
const TSS_AVAILABLE_16 = 1n;
/** Bits of a selector that say which table: system descriptors lie in the GDT. */
const TABLE_INDICATOR = 4n;

/** LLDT. Parameter: the selector; a null one makes the LDT unusable. Raises #GP and #NP with the selector. */
export const loadLdt: Routine = {
  name: "loadLdt",
  parameters: ["i64"],
  result: undefined,
  raises: true,
  body(m, ...[selector]) {
    if (selector === undefined) throw new RangeError("loadLdt takes a selector.");
    m.when(
      isNullSelector(m, selector),
      () => setSystemSegment(m, LDTR, nullSegment(m, selector)),
      () => {
        const found = readSystemDescriptor(m, selector);
        const attributes = attributesOf(m, found.bits);
        requireType(m, selector, attributes, SYSTEM_TYPE.LDT);
        const base = systemBase(m, selector, found);
        setSystemSegment(m, LDTR, { selector, base, limit: limitOf(m, found.bits), attributes });
      },
    );
  },
};

/** LTR. Parameter: the selector. Marks the TSS busy in the GDT. Raises #GP and #NP with the selector. */
export const loadTaskRegister: Routine = {
  name: "loadTaskRegister",
  parameters: ["i64"],
  result: undefined,
  raises: true,
  body(m, ...[selector]) {
    if (selector === undefined) throw new RangeError("loadTaskRegister takes a selector.");
    m.raiseWhen(isNullSelector(m, selector), "GP", m.constant(0));
    const found = readSystemDescriptor(m, selector);
    const attributes = attributesOf(m, found.bits);
    // 16-bit TSSs exist outside IA-32e mode.
    const examined = m.select(
      m.state(slots.longMode),
      attributes,
      m.or(attributes, m.constant(SYSTEM_TYPE.TSS_AVAILABLE ^ TSS_AVAILABLE_16)),
    );
    requireType(m, selector, examined, SYSTEM_TYPE.TSS_AVAILABLE);
    const base = systemBase(m, selector, found);
    const typeLinear = m.add(found.linear, m.constant(5));
    const busyBit = SYSTEM_TYPE.TSS_BUSY ^ SYSTEM_TYPE.TSS_AVAILABLE;
    m.store(typeLinear, 1, m.or(m.load(typeLinear, 1, "system"), m.constant(busyBit)), "system");
    const busy = m.or(attributes, m.constant(busyBit));
    setSystemSegment(m, TR, { selector, base, limit: limitOf(m, found.bits), attributes: busy });
  },
};

function readSystemDescriptor(m: SemanticsBuilder, selector: Value): FoundDescriptor {
  m.raiseWhen(hasBits(m, selector, TABLE_INDICATOR), "GP", selectorError(m, selector));
  return readDescriptor(m, selector, "GP");
}

function requireType(m: SemanticsBuilder, selector: Value, attributes: Value, type: bigint): void {
  const actual = m.and(attributes, m.constant(ATTRIBUTES.TYPE | ATTRIBUTES.CODE_OR_DATA));
  m.raiseWhen(m.notEqual(actual, m.constant(type)), "GP", selectorError(m, selector));
  m.raiseWhen(
    m.isFalse(hasBits(m, attributes, ATTRIBUTES.PRESENT)),
    "NP",
    selectorError(m, selector),
  );
}

/** The base: 64 bits in IA-32e mode, where it must be canonical. */
function systemBase(m: SemanticsBuilder, selector: Value, found: FoundDescriptor): Value {
  const base = m.variable(baseOf(m, found.bits));
  m.when(m.state(slots.longMode), () => {
    const last = m.add(m.and(selector, m.constant(0xfff8)), m.constant(15));
    m.raiseWhen(
      m.lessThanUnsigned(m.state(slots.gdtrLimit), last),
      "GP",
      selectorError(m, selector),
    );
    const high = m.load(m.add(found.linear, m.constant(8)), 8, "system");
    m.raiseWhen(hasBits(m, high, 0x1f00_0000_0000n), "GP", selectorError(m, selector));
    const whole = m.or(m.get(base), m.shiftLeft(high, m.constant(32)));
    m.raiseWhen(m.isFalse(m.isCanonical(whole)), "GP", selectorError(m, selector));
    m.set(base, whole);
  });
  return m.get(base);
}

function setSystemSegment(
  m: SemanticsBuilder,
  index: number,
  value: {
    readonly selector: Value;
    readonly base: Value;
    readonly limit: Value;
    readonly attributes: Value;
  },
): void {
  setSegment(m, index, value);
  m.setState(segmentSlots(index).effectiveBase, value.base);
}
