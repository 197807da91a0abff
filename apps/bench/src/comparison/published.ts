/**
 * Figures that others published for the operations of the benchmarks.
 *
 * Data alone. A paper's machine, kernel and program are not ours, so absolute values tell less than the ratio of a
 * technique to the same paper's native figure; reports show both.
 */

/** A figure that somebody published for the same operation. */
export interface Published {
  /** The strategy that works like what was measured. */
  readonly strategy: string;
  /** What was measured: `native`, `VMware BT`. */
  readonly technique: string;
  readonly value: number;
  /** `ratio`: only the time relative to native was published. */
  readonly unit: "cycles" | "µs" | "ratio";
  readonly source: string;
  /** Not found in a source that can be checked. */
  readonly unverified: boolean;
  /** The cost profile is calibrated with it, so a cell beside it is no prediction. */
  readonly calibrates: boolean;
}

const ADAMS_AGESEN = "Adams, Agesen, ASPLOS 2006, section 6.3: 3.8 GHz Pentium 4 672";
const FORK_WAIT =
  "Adams, Agesen, ASPLOS 2006: forkwait, 40,000 iterations in 6.0, 36.9 and 106.4 s on a 3.8 GHz Pentium 4 672";
const BARHAM =
  "Barham et al., SOSP 2003, tables 3 to 5: Linux UP, Xen, VMware Workstation 3.2 on a 2.4 GHz Xeon";
const SPECINT = "Barham et al., SOSP 2003, figure 3: SPEC INT2000, scores 567, 567 and 554";

const technique = {
  native: { strategy: "bare", technique: "native" },
  translation: { strategy: "binary-translation", technique: "VMware BT" },
  xen: { strategy: "paravirt", technique: "Xen PV" },
  shadow: { strategy: "vtx:shadow", technique: "VT-x without EPT" },
} as const;

/** A value, or a value with what distinguishes it. */
type Figure = number | ({ readonly value: number } & Partial<Published>);

function figures(
  unit: Published["unit"],
  source: string,
  values: Readonly<Partial<Record<keyof typeof technique, Figure>>>,
): readonly Published[] {
  const base = { unit, source, unverified: false, calibrates: false };
  return (["native", "translation", "xen", "shadow"] as const).flatMap((name) => {
    const given = values[name];
    if (given === undefined) return [];
    return [
      { ...base, ...technique[name], ...(typeof given === "number" ? { value: given } : given) },
    ];
  });
}

/** A nanobenchmark of Adams and Agesen. Their native figures calibrate the profile of their processor. */
const nano = (native: number, translation: Figure, shadow: Figure): readonly Published[] =>
  figures("cycles", ADAMS_AGESEN, {
    native: { value: native, calibrates: true },
    translation,
    shadow,
  });

const lmbench = (native: number, xen: number, translation: number): readonly Published[] =>
  figures("µs", BARHAM, { native, xen, translation });

const recalledNative = "recalled for a Pentium 4 of 2006, in no source";

/** By benchmark. */
const published: Readonly<Record<string, readonly Published[]>> = {
  syscall: figures("cycles", ADAMS_AGESEN, {
    native: { value: 242, calibrates: true, unverified: true, source: recalledNative },
    translation: {
      value: 2242,
      unverified: true,
      source: `${ADAMS_AGESEN}: native + about 2000, with 242 for native, ${recalledNative}`,
    },
    shadow: {
      value: 242,
      unverified: true,
      source: `${ADAMS_AGESEN}: as native, with 242 for native, ${recalledNative}`,
    },
  }),
  in: nano(
    3209,
    { value: 214, source: `${ADAMS_AGESEN}: "fifteen times faster than native"` },
    15_826,
  ),
  cr8wr: figures("cycles", ADAMS_AGESEN, {
    native: {
      value: 140,
      calibrates: true,
      source: `${ADAMS_AGESEN}: "about four times" slower than 35`,
    },
    translation: 35,
    shadow: { value: 140, source: `${ADAMS_AGESEN}: as native` },
  }),
  "call-ret": nano(11, 51, 11),
  pgfault: nano(1093, 3927, 11_242),
  divzero: nano(889, 3223, 1014),
  ptemod: nano(1, 391, 12_733),
  "null-call": lmbench(0.45, 0.46, 0.73),
  "fork-wait": figures("µs", FORK_WAIT, {
    native: 150,
    translation: 922.5,
    xen: {
      value: (150 * 198) / 110,
      source: `${BARHAM}: lmbench's fork takes 198 µs against 110 native; times the 150 µs beside it`,
    },
    shadow: 2660,
  }),
  "fork-exec": lmbench(530, 768, 2300),
  "context-switch": lmbench(0.77, 1.97, 18.1),
  "page-fault": lmbench(1.42, 2.73, 12.4),
  signal: lmbench(2.49, 1.75, 4.63),
  "integer-mix": figures("ratio", SPECINT, { native: 1, xen: 567 / 567, translation: 567 / 554 }),
};

/** What was published for a benchmark, native first; empty where nothing is. */
export function publishedFor(benchmark: string): readonly Published[] {
  return published[benchmark] ?? [];
}

/** Ids of the benchmarks that something was published for. */
export const publishedBenchmarks: readonly string[] = Object.keys(published);
