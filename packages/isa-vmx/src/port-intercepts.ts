/**
 * Accesses to ports that exit: all of them, or by the I/O bitmaps.
 *
 * Intel SDM Vol. 3C §26.1.3, "Instructions That Cause VM Exits Conditionally"; §25.6.4, "I/O-Bitmap Addresses".
 */
import {
  checkPorts,
  segmentSlots,
  type Form,
  type Instruction,
  type Operand,
  type Prologue,
  type Routine,
  type SemanticsBuilder,
  type Value,
} from "@ringside/isa";
import { PRIMARY } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { exit, has, isNonRoot } from "./intercept.ts";
import { vmx } from "./vmx-state.ts";

const RDX = 2;
const RSI = 6;
const RDI = 7;

/** Whether an access to ports exits. Intel SDM Vol. 3C §26.1.3, "Instructions That Cause VM Exits Conditionally"; §25.6.4, "I/O-Bitmap Addresses". */
const portExits: Routine = {
  name: "vmxPortExits",
  parameters: ["i64", "i64"],
  result: "i64",
  raises: false,
  body(m, ...[port, bytes]) {
    if (port === undefined || bytes === undefined)
      throw new RangeError("vmxPortExits takes two parameters.");
    const result = m.variable(
      m.fromCondition(has(m, vmx.primary, PRIMARY.UNCONDITIONAL_IO_EXITING)),
    );
    m.when(has(m, vmx.primary, PRIMARY.USE_IO_BITMAPS), () => {
      // An access that wraps around the last port exits.
      const end = m.add(port, bytes);
      m.set(result, m.fromCondition(m.lessThanUnsigned(m.constant(0x1_0000), end)));
      const at = m.variable(port);
      m.loop(() => {
        const each = m.and(m.get(at), m.constant(0xffff));
        const isHigh = m.and(each, m.constant(0x8000));
        const map = m.select(isHigh, m.state(vmx.ioBitmapB), m.state(vmx.ioBitmapA));
        const offset = m.and(m.shiftRightUnsigned(each, m.constant(3)), m.constant(0xff8));
        const word = m.loadPhysical(m.add(map, offset));
        const bit = m.and(m.shiftRightUnsigned(word, m.and(each, m.constant(63))), m.constant(1));
        m.set(result, m.or(m.get(result), bit));
        m.set(at, m.add(m.get(at), m.constant(1)));
        return m.lessThanUnsigned(m.get(at), end);
      });
    });
    return m.get(result);
  },
};

/** Bits of the exit qualification for I/O. Intel SDM Vol. 3C §28.2.1, "Basic VM-Exit Information", Table 28-5. */
function ioAccess(
  direction: "in" | "out",
  bytes: number,
  detail: { readonly isString?: boolean; readonly isImmediate?: boolean },
  portOf: (m: SemanticsBuilder, ...operands: Operand[]) => Value,
): Prologue {
  return (m, ...operands) =>
    m.when(isNonRoot(m), () => {
      const port = portOf(m, ...operands);
      m.call(checkPorts, port, m.constant(bytes));
      m.when(m.call(portExits, port, m.constant(bytes)), () => {
        const fixed =
          (bytes - 1) |
          (direction === "in" ? 8 : 0) |
          (detail.isString === true ? 0x10 : 0) |
          (m.repeat === "none" ? 0 : 0x20) |
          (detail.isImmediate === true ? 0x40 : 0);
        if (detail.isString === true) {
          const isIn = direction === "in";
          const base = isIn ? m.state(segmentSlots(0).effectiveBase) : m.segmentBase();
          const linear = m.add(base, m.register(isIn ? RDI : RSI, m.addressWidth), 64);
          m.setState(vmx.guestLinear, m.mode === 64 ? linear : m.truncate(linear, 32));
          const size = m.addressWidth === 16 ? 0 : m.addressWidth === 32 ? 1 : 2;
          m.setState(vmx.result, m.constant(size << 7));
        }
        exit(
          m,
          EXIT.IO_INSTRUCTION,
          m.or(m.constant(fixed), m.shiftLeft(port, m.constant(16), 64)),
        );
      });
    });
}

const PORT_BYTES: Readonly<Record<number, number>> = { 8: 1, 16: 2, 32: 4 };

/** The intercept of IN, OUT, INS or OUTS. */
export function portIntercept(instruction: Instruction, form: Form): Prologue | undefined {
  const dx = (m: SemanticsBuilder): Value => m.register(RDX, 16);
  const stringBytes = (): number =>
    form.mnemonic.endsWith("b") ? 1 : form.mnemonic.endsWith("w") ? 2 : 4;
  switch (instruction.mnemonic) {
    case "in":
    case "out": {
      const isIn = instruction.mnemonic === "in";
      const [first, second] = form.operands;
      const data = isIn ? first : second;
      const port = isIn ? second : first;
      if (data === undefined || port === undefined) return undefined;
      return ioAccess(
        isIn ? "in" : "out",
        PORT_BYTES[data.bits] ?? 4,
        { isImmediate: port.kind === "immediate" },
        (m) => m.read(port),
      );
    }
    case "ins":
      return ioAccess("in", stringBytes(), { isString: true }, dx);
    case "outs":
      return ioAccess("out", stringBytes(), { isString: true }, dx);
    default:
      return undefined;
  }
}
