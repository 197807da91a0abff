/**
 * What happens when delivering one event meets an exception.
 *
 * Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 8, table "Conditions for Generating a Double Fault").
 */
import { VECTOR } from "./vectors.ts";

/** What the processor does next. */
export type Escalation = "deliver second" | "double fault" | "shutdown";

const CONTRIBUTORY: ReadonlySet<number> = new Set([
  VECTOR.DE,
  VECTOR.TS,
  VECTOR.NP,
  VECTOR.SS,
  VECTOR.GP,
]);

/**
 * Decides between serial delivery, a double fault and shutdown.
 *
 * @param first Vector of the exception whose delivery failed; undefined for an external interrupt, an NMI or a software
 * interrupt, which are benign.
 * @param second Vector of the exception that delivery raised.
 */
export function escalate(first: number | undefined, second: number): Escalation {
  const secondIsContributory = CONTRIBUTORY.has(second);
  const secondIsPageFault = second === VECTOR.PF;
  if (first === VECTOR.DF)
    return secondIsContributory || secondIsPageFault ? "shutdown" : "deliver second";
  if (first === VECTOR.PF)
    return secondIsContributory || secondIsPageFault ? "double fault" : "deliver second";
  if (first !== undefined && CONTRIBUTORY.has(first) && secondIsContributory) return "double fault";
  return "deliver second";
}
