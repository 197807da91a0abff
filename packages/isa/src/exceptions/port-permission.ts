/**
 * Whether code may use a port: IOPL, and the I/O permission bitmap of the TSS.
 *
 * Intel SDM Vol. 1 §19.5.2, "I/O Permission Bit Map".
 */
import { CR0, RFLAGS } from "../profile/registers.ts";
import type { Routine } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { hasBits } from "./mode.ts";

/** Offset in a TSS, 32-bit or 64-bit, of the 16-bit offset of the bitmap. */
const BITMAP_POINTER = 0x66;
/** The type bit that tells a 32-bit or 64-bit TSS from a 16-bit one. */
const BIG_TSS = 8n;

/** Parameters: port, and bytes of the access (1, 2 or 4). Raises #GP(0) unless all of its ports are allowed. */
export const checkPorts: Routine = {
  name: "checkPorts",
  parameters: ["i64", "i64"],
  result: undefined,
  raises: true,
  body(m, ...[port, bytes]) {
    if (port === undefined || bytes === undefined) {
      throw new RangeError("checkPorts takes two parameters.");
    }
    const tr = segmentSlots(7);
    const flags = m.state(slots.flagsSystem);
    const iopl = m.and(m.shiftRightUnsigned(flags, m.constant(12)), m.constant(3));
    const asksBitmap = m.either(
      m.lessThanUnsigned(iopl, m.state(slots.cpl)),
      hasBits(m, flags, RFLAGS.VM),
    );
    m.when(m.both(asksBitmap, hasBits(m, m.state(slots.cr0), CR0.PE)), () => {
      const limit = m.state(tr.limit);
      // A 16-bit TSS has no bitmap.
      const pointerFits = m.both(
        m.lessThanUnsigned(m.constant(BITMAP_POINTER), limit),
        hasBits(m, m.state(tr.attributes), BIG_TSS),
      );
      m.raiseWhen(m.isFalse(pointerFits), "GP", m.constant(0));
      const bitmap = m.load(m.add(m.state(tr.base), m.constant(BITMAP_POINTER)), 2, "system");
      const byteOffset = m.add(bitmap, m.shiftRightUnsigned(port, m.constant(3)));
      // Two bytes are read, since the ports of one access may cross a byte; both must lie in the TSS.
      const beyond = m.lessThanUnsigned(limit, m.add(byteOffset, m.constant(1)));
      m.raiseWhen(beyond, "GP", m.constant(0));
      const map = m.load(m.add(m.state(tr.base), byteOffset), 2, "system");
      const wanted = m.subtract(m.shiftLeft(m.constant(1), bytes), m.constant(1));
      const denied = m.and(m.shiftRightUnsigned(map, m.and(port, m.constant(7))), wanted);
      m.raiseWhen(denied, "GP", m.constant(0));
    });
  },
};
