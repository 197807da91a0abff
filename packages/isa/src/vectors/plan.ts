/**
 * What is recorded for the whole table.
 */
import { parsePattern, type Pattern } from "../decoder/pattern.ts";
import { instructions } from "../instructions/index.ts";
import { uncompared, type Uncompared } from "./compare.ts";
import { encodingKey, generateInputs, whyUnrecorded } from "./generate.ts";
import type { VectorInput } from "./machine.ts";
import { isX87 } from "./shape.ts";

/** Files that vectors are kept in. */
export type VectorArea = "integer" | "sse" | "x87";

/** A row of the table, with its inputs or the reason why it has none. */
export interface PlannedEncoding {
  readonly key: string;
  readonly area: VectorArea;
  readonly unrecorded: string | undefined;
  /** Inputs of a seed: those of 0, the default, are recorded. */
  readonly inputs: (seed?: number) => readonly VectorInput[];
  /** What is not compared. */
  readonly except: Uncompared;
}

/** Every row of the table. */
export function recordingPlan(): readonly PlannedEncoding[] {
  return tablePatterns().map((pattern) => {
    const unrecorded = whyUnrecorded(pattern);
    return {
      key: encodingKey(pattern),
      area: areaOf(pattern),
      unrecorded,
      inputs: (seed = 0) => (unrecorded === undefined ? generateInputs(pattern, seed) : []),
      except: uncompared(pattern.instruction),
    };
  });
}

/** Every row of the table, read. */
export function tablePatterns(): readonly Pattern[] {
  return instructions.flatMap((instruction) =>
    instruction.encodings.map((encoding) => parsePattern(instruction, encoding)),
  );
}

function areaOf(pattern: Pattern): VectorArea {
  if (isX87(pattern)) return "x87";
  const feature = pattern.instruction.feature ?? "";
  const usesVectors = pattern.operands.some(
    ({ pattern: { register } }) => register?.kind === "xmm" || register?.kind === "mmx",
  );
  return usesVectors || /^(?:sse|mmx)/u.test(feature) ? "sse" : "integer";
}
