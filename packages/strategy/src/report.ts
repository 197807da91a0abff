/**
 * The JSON report of a comparison: what it holds, and how one is read back.
 *
 * A report is input from outside when it is read, so it is checked against a schema and never trusted.
 */
import { z } from "zod";
import type { CostProfile } from "./cost-profile.ts";
import type { CountTree } from "./counts.ts";
import type { Capabilities, Traits } from "./strategy.ts";

/** Changes with every incompatible change of the format. */
export const reportSchema = "ringside.report/2";

/** A strategy as the report describes it. */
export interface ReportedStrategy {
  readonly id: string;
  readonly name: string;
  readonly summary: string;
  readonly traits: Traits;
  readonly capabilities: Capabilities;
}

/** What was counted, modelled and measured while one part of a benchmark ran. */
export interface Measurement {
  /** How often the benchmark's operation was done. */
  readonly operations: number;
  /** Retired processor instructions. */
  readonly instructions: number;
  /** The sum of the three parts below, for all {@link operations}; null with `reason` where not all is modelled. */
  readonly modelledCycles: number | null;
  readonly guestCycles: number;
  readonly transitionCycles: number;
  readonly monitorCycles: number;
  /** Wall time of the machine that made the report. The one field that differs between two equal runs. */
  readonly wallMs: number;
  /** Counted facts. */
  readonly events: CountTree;
  /** Why `modelledCycles` is null. */
  readonly reason?: string;
}

/** A benchmark that ran. Its own fields are the warm part: the second N operations. */
export interface OkResult extends Measurement {
  readonly benchmark: string;
  readonly strategy: string;
  readonly status: "ok";
  /** 16 hex digits that depend on the work done; the same under every strategy. */
  readonly checksum: string;
  /** The first N operations, with everything that only the first ones pay. */
  readonly cold: Measurement;
}

/** A benchmark that has no meaning under a strategy, or that went wrong. */
export interface OtherResult {
  readonly benchmark: string;
  readonly strategy: string;
  readonly status: "not-applicable" | "failed";
  /** A sentence for a person. */
  readonly reason: string;
}

export type Result = OkResult | OtherResult;

export interface Report {
  readonly schema: typeof reportSchema;
  readonly profile: CostProfile;
  readonly strategies: readonly ReportedStrategy[];
  /** In the order of the table: by benchmark, then by strategy. */
  readonly results: readonly Result[];
}

/**
 * Checks that `value`, parsed JSON, is a report.
 *
 * @throws {TypeError} naming the first place that is wrong and what was expected there.
 */
export function readReport(value: unknown): Report {
  const parsed = report.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place =
    issue === undefined || issue.path.length === 0 ? "the report" : issue.path.join(".");
  throw new TypeError(
    `This is not a report of the format ${reportSchema}: ${place}: ${issue?.message ?? "invalid"}.`,
  );
}

const count = z.number().int().nonnegative();
const cycles = z.number().nonnegative();
const countTree: z.ZodType<CountTree> = z.lazy(() =>
  z.record(z.string(), z.union([z.number(), countTree])),
);

const measurement = z.strictObject({
  operations: count,
  instructions: count,
  modelledCycles: cycles.nullable(),
  guestCycles: cycles,
  transitionCycles: cycles,
  monitorCycles: cycles,
  wallMs: z.number().nonnegative(),
  events: countTree,
  reason: z.string().min(1).exactOptional(),
});

/** Every null total says why, and every total is the sum of its parts. */
function isConsistent(m: z.infer<typeof measurement>): boolean {
  if (m.modelledCycles === null) return m.reason !== undefined;
  const sum = m.guestCycles + m.transitionCycles + m.monitorCycles;
  return Math.abs(m.modelledCycles - sum) <= Math.max(1, sum) * 1e-9;
}
const inconsistent =
  "modelledCycles must be the sum of guestCycles, transitionCycles and monitorCycles, or null with a reason";

const okResult = z
  .strictObject({
    ...measurement.shape,
    benchmark: z.string(),
    strategy: z.string(),
    status: z.literal("ok"),
    checksum: z.string().regex(/^[0-9a-f]{16}$/, "expected 16 hex digits"),
    cold: measurement.refine(isConsistent, inconsistent),
  })
  .refine(isConsistent, inconsistent);

const otherResult = z.strictObject({
  benchmark: z.string(),
  strategy: z.string(),
  status: z.enum(["not-applicable", "failed"]),
  reason: z.string().min(1),
});

const profile = z.strictObject({
  id: z.string(),
  name: z.string(),
  year: z.number().int(),
  hertz: z.number().positive(),
  constants: z.array(
    z.strictObject({
      id: z.string(),
      class: z.enum(["guest", "transition", "monitor"]),
      cycles,
      events: z.string(),
      unit: z.string(),
      from: z.string(),
      to: z.string(),
      prices: z.discriminatedUnion("kind", [
        z.strictObject({
          kind: z.literal("counts"),
          names: z.array(z.string()),
          except: z.array(z.string()).exactOptional(),
        }),
        z.strictObject({ kind: z.literal("other-instructions") }),
      ]),
      provenance: z.enum(["published", "derived", "calibrated", "estimated"]),
      source: z.string(),
      unverified: z.boolean(),
    }),
  ),
});

const report: z.ZodType<Report> = z.strictObject({
  schema: z.literal(reportSchema),
  profile,
  strategies: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      summary: z.string(),
      traits: z.strictObject({
        guestKernel: z.enum(["unmodified", "modified", "shared"]),
        guestKernelLevel: z.number().int().nullable(),
        extensions: z.array(z.string()),
        exclusive: z.boolean(),
        unmodelled: z.string().exactOptional(),
      }),
      capabilities: z.strictObject({
        programs: z.boolean(),
        kernels: z.boolean(),
        selfModifyingCode: z.boolean(),
      }),
    }),
  ),
  results: z.array(z.discriminatedUnion("status", [okResult, otherResult])),
});
