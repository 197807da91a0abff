/** What the terms cost on one processor, and how a profile is made of that. */
import type { CostConstant, CostProfile } from "../cost-profile.ts";
import { costTerms, type CostTerm, type CostTermId } from "./terms.ts";

/** What one term costs on one processor. */
export type CostFigure = Pick<CostConstant, "cycles" | "provenance" | "source" | "unverified">;

/** A figure for every term: a processor cannot leave one out. */
export type CostFigures = Readonly<Record<CostTermId, CostFigure>>;

/** Makes a profile of its figures. */
export function costProfile(
  processor: Omit<CostProfile, "constants">,
  figures: CostFigures,
): CostProfile {
  return {
    ...processor,
    constants: Object.entries<CostTerm>(costTerms).map(([id, term]) => ({
      id,
      ...term,
      ...figures[id as CostTermId], // The keys of `costTerms`.
    })),
  };
}

/** A figure read in its source. */
export function published(cycles: number, source: string): CostFigure {
  return { cycles, provenance: "published", source, unverified: false };
}

/** Arithmetic on published figures. */
export function derived(cycles: number, source: string): CostFigure {
  return { cycles, provenance: "derived", source, unverified: false };
}

/** Chosen so that a published native figure comes out. */
export function calibrated(cycles: number, source: string): CostFigure {
  return { cycles, provenance: "calibrated", source, unverified: false };
}

/** A judgement, with the reasoning behind it. */
export function estimated(cycles: number, source: string): CostFigure {
  return { cycles, provenance: "estimated", source, unverified: false };
}

/** A figure that its source is said to have, and that was not looked up there: an estimate until somebody does. */
export function recalled(cycles: number, source: string): CostFigure {
  return { cycles, provenance: "estimated", source, unverified: true };
}
