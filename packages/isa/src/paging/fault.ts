/** Page faults, as a walk raises them. Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions". */
import { CR4, EFER } from "../profile/registers.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { PAGE_FAULT } from "./entry.ts";

/** Raises #PF for `linear`. The I bit is only reported where fetches can be denied. */
export function raisePageFault(
  m: SemanticsBuilder,
  linear: Value,
  access: Value,
  cause: bigint,
): void {
  const fetchesChecked = m.or(
    m.and(m.state(slots.efer), m.constant(EFER.NXE)),
    m.and(m.state(slots.cr4), m.constant(CR4.SMEP)),
  );
  const dataBits = m.constant(PAGE_FAULT.WRITE | PAGE_FAULT.USER);
  const reported = m.select(
    m.isZero(fetchesChecked),
    dataBits,
    m.or(dataBits, m.constant(PAGE_FAULT.INSTRUCTION)),
  );
  m.setState(slots.faultLinear, linear);
  m.raise("PF", m.or(m.and(access, reported), m.constant(cause)));
}
