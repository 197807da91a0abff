/** Estimates that follow from those of the Pentium 4, for the generations after it. */
import { estimated, type CostFigure, type CostFigures } from "./figures.ts";

/** The chip set's answer on port 0x80 took a Pentium 4 at 3.8 GHz 3209 cycles, 844 ns. */
const portSeconds = 3209 / 3_800_000_000;

/** A port access: the chip set takes its time, however fast the processor is. */
export function portAccess(hertz: number): CostFigure {
  return estimated(
    Math.round(portSeconds * hertz),
    "the 844 ns that Adams and Agesen's figure is on their Pentium 4: the wait is for the chip set",
  );
}

/** What software alone does, by the cycles that a simple instruction takes. On the Pentium 4 that is 1. */
export function softwareCosts(
  instruction: number,
): Pick<
  CostFigures,
  | "emulated-instruction"
  | "translated-instruction"
  | "translation-lookup"
  | "code-patch"
  | "hypercall"
  | "validation"
  | "frame-check"
> {
  const scaled = (cycles: number): CostFigure =>
    estimated(
      Math.round(cycles * instruction),
      `as on the Pentium 4, where it is ${cycles}, at ${instruction} cycles an instruction`,
    );
  return {
    "emulated-instruction": scaled(840),
    "translated-instruction": scaled(2300),
    "translation-lookup": scaled(60),
    "code-patch": estimated(100, "the write, and the pipeline that is cleared by it"),
    hypercall: scaled(40),
    validation: scaled(20),
    "frame-check": scaled(30),
  };
}
