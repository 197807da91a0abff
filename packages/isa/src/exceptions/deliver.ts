/**
 * Delivery of exceptions and interrupts through the IDT.
 *
 * All checks and all stores come before the first register changes, so an exception raised by delivery leaves the
 * processor where it was; what to do then is escalate.ts. External events and exceptions are delivered by the driver,
 * INT n and its kin by their rows.
 *
 * Intel SDM Vol. 2A, "INT n/INTO/INT3/INT1—Call to Interrupt Procedure" (operation); Vol. 3A §6.12, "Exception and
 * Interrupt Handling"; §6.14, "Exception and Interrupt Handling in 64-bit Mode".
 */
import { CR0 } from "../profile/registers.ts";
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import type { Delivery } from "./delivery.ts";
import { deliverProtected } from "./deliver-protected.ts";
import { deliverReal } from "./deliver-real.ts";
import { deliverLong } from "./deliver-long.ts";
import { EVENT } from "./event.ts";
import { hasBits } from "./mode.ts";
import { VECTOR } from "./vectors.ts";

/**
 * Delivers an event at the current instruction boundary (the state's `rip` is what the frame saves).
 *
 * Parameters: vector, kind (a number of EVENT), 1 when an error code is pushed, the error code. A page fault's
 * `faultLinear` goes to CR2. Leaves `rip` at the handler. NMI blocking and DR6 are the driver's.
 */
export const deliverRoutine: Routine = {
  name: "deliver",
  parameters: ["i64", "i64", "i64", "i64"],
  result: undefined,
  raises: true,
  body(m, ...[vector, kind, hasErrorCode, errorCode]) {
    if (
      vector === undefined ||
      kind === undefined ||
      hasErrorCode === undefined ||
      errorCode === undefined
    ) {
      throw new RangeError("deliver takes four parameters.");
    }
    const isException = m.equal(kind, m.constant(EVENT.EXCEPTION));
    m.when(m.both(isException, m.equal(vector, m.constant(VECTOR.PF))), () => {
      m.setState(slots.cr2, m.state(slots.faultLinear));
    });
    deliver(m, { vector, kind, hasErrorCode, errorCode, returnRip: m.state(slots.rip) });
  },
};

/**
 * Delivers a software interrupt. Parameters: vector, kind, RIP of the next instruction. On success the state's `rip` is
 * the handler's; the row goes on there.
 */
export const deliverSoftwareInterrupt: Routine = {
  name: "deliverSoftwareInterrupt",
  parameters: ["i64", "i64", "i64"],
  result: undefined,
  raises: true,
  body(m, ...[vector, kind, returnRip]) {
    if (vector === undefined || kind === undefined || returnRip === undefined) {
      throw new RangeError("deliverSoftwareInterrupt takes three parameters.");
    }
    const none = m.constant(0);
    deliver(m, { vector, kind, hasErrorCode: none, errorCode: none, returnRip });
  },
};

function deliver(m: SemanticsBuilder, event: Omit<Delivery, "external" | "savedFlags">): void {
  const isSoftware = m.equal(event.kind, m.constant(EVENT.SOFTWARE));
  const delivery: Delivery = {
    ...event,
    external: m.select(isSoftware, m.constant(0), m.constant(1)),
    savedFlags: m.or(m.readFlagsRegister(), resumeFlag(m, event.kind, event.vector)),
  };
  m.when(
    hasBits(m, m.state(slots.cr0), CR0.PE),
    () => {
      m.when(
        m.state(slots.longMode),
        () => deliverLong(m, delivery),
        () => deliverProtected(m, delivery),
      );
    },
    () => deliverReal(m, delivery),
  );
}

/** RF in the saved flags: 1 for faults. Intel SDM Vol. 3B §18.3.1.1, "Instruction-Breakpoint Exception Condition". */
function resumeFlag(m: SemanticsBuilder, kind: Value, vector: Value): Value {
  const notFaults =
    (1 << VECTOR.DB) | (1 << VECTOR.BP) | (1 << VECTOR.OF) | (1 << VECTOR.DF) | (1 << VECTOR.MC);
  const isFault = m.both(
    m.equal(kind, m.constant(EVENT.EXCEPTION)),
    m.isZero(
      m.and(
        m.shiftRightUnsigned(m.constant(notFaults), m.and(vector, m.constant(31))),
        m.constant(1),
      ),
    ),
  );
  return m.select(isFault, m.constant(0x1_0000), m.constant(0));
}
