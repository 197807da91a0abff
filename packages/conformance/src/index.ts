/**
 * The suite that every strategy passes, as data.
 *
 * In a nutshell: {@link conformanceCases} are sentences with a function each; {@link applies} says which of them a
 * strategy must pass by its own word; `./vitest` registers them, and {@link runConformance} runs them anywhere.
 *
 * @packageDocumentation
 */
import { consoleCases } from "./cases/console.ts";
import { hostileKernelCases } from "./cases/hostile-kernels.ts";
import { hostileCases } from "./cases/hostile.ts";
import { kernelCases } from "./cases/kernel.ts";
import { lifeCycleCases } from "./cases/life-cycle.ts";
import { programConformanceCases } from "./cases/programs.ts";
import { selftestCases } from "./cases/selftest.ts";
import { timeCases } from "./cases/time.ts";
import type { ConformanceCase } from "./conformance-case.ts";

export {
  applies,
  subjectHostBytes,
  type ConformanceCase,
  type Subject,
} from "./conformance-case.ts";
export { tinyProgram } from "./tiny-program.ts";
export { runConformance, type CaseResult } from "./run-conformance.ts";

/** Every case. Names are unique. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...lifeCycleCases,
  ...timeCases,
  ...consoleCases,
  ...kernelCases,
  ...programConformanceCases,
  ...hostileCases,
  ...hostileKernelCases,
  ...selftestCases,
];
