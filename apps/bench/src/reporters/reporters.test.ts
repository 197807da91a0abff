/** What a report looks like, on a terminal and as a page. */
import {
  pentium4,
  readReport,
  reportSchema,
  type Measurement,
  type Report,
  type ReportedStrategy,
} from "@ringside/strategy";
import picocolors from "picocolors";
import { describe, expect, test } from "vitest";
import { htmlReport } from "./html.ts";
import { terminalReport } from "./terminal.ts";

const strategy = (id: string, name: string, summary: string): ReportedStrategy => ({
  id,
  name,
  summary,
  traits: { guestKernel: "unmodified", guestKernelLevel: 0, extensions: [], exclusive: true },
  capabilities: { programs: true, kernels: true, selfModifyingCode: true },
});

/** `cycles` for 100 operations of 10 instructions, of which one is a system call. */
function measurement(cycles: number | null): Measurement {
  const guestCycles = cycles ?? 1000;
  return {
    operations: 100,
    instructions: 1000,
    modelledCycles: cycles,
    guestCycles,
    transitionCycles: 0,
    monitorCycles: 0,
    wallMs: 0.25,
    events: {
      units: 1000,
      instructions: 1000,
      rings: { ring0: 1000 },
      mnemonics: { syscall: 100 },
      exceptions: {},
      interrupts: {},
      translation: {},
      systemCalls: { getppid: 100 },
    },
    ...(cycles === null ? { reason: "The kernel is written in TypeScript." } : {}),
  };
}

/** Every kind of result, and text that a page must not take for markup. */
const sampleReport: Report = {
  schema: reportSchema,
  profile: pentium4,
  strategies: [
    strategy("bare", "Bare", "No hypervisor."),
    strategy("odd", 'Odd & <script>alert("x")</script>', "Does <b>odd</b> things."),
    strategy("shared", "Shared", "No kernel of its own."),
  ],
  results: [
    {
      benchmark: "syscall",
      strategy: "bare",
      status: "ok",
      checksum: "0123456789abcdef",
      ...measurement(24_200),
      cold: measurement(30_000),
    },
    {
      benchmark: "syscall",
      strategy: "odd",
      status: "failed",
      reason: 'It wrote last: "</td><img src=x>".',
    },
    {
      benchmark: "syscall",
      strategy: "shared",
      status: "not-applicable",
      reason: "It runs no kernels.",
    },
    {
      benchmark: "null-call",
      strategy: "bare",
      status: "ok",
      checksum: "0123456789abcdef",
      ...measurement(40_000),
      cold: measurement(50_000),
    },
    {
      benchmark: "null-call",
      strategy: "odd",
      status: "ok",
      checksum: "0123456789abcdef",
      ...measurement(100_000),
      cold: measurement(100_000),
    },
    {
      benchmark: "null-call",
      strategy: "shared",
      status: "ok",
      checksum: "0123456789abcdef",
      ...measurement(null),
      cold: measurement(null),
    },
  ],
};

test("the sample is a report", () => {
  expect(readReport(JSON.parse(JSON.stringify(sampleReport)))).toEqual(sampleReport);
});

describe("terminalReport", () => {
  test("shows cycles, ratios, reasons, published values and sources", () => {
    expect(terminalReport(sampleReport, picocolors.createColors(false))).toMatchInlineSnapshot(`
      "Modelled cycles of one warm operation, and the ratio to bare (profile: Pentium 4 672, 3.8 GHz (2006))

                 bare            odd               shared
      ─────────────────────────────────────────────────────
      One operation of the processor, in a bare test kernel
      syscall     242  1.00×  failed                  n/a

      One operation of a kernel, from a program
      null-call   400  1.00×   1,000  2.50×  not modelled

      What one operation is
      syscall: SYSCALL and SYSRET; null-call: getppid()

      Why
      bare    Its cycles go to SYSCALLs (93.1 %) and instructions of the guest (6.92 %).
      odd     Within 5 % of bare in 0 of 1 benchmarks; dearest: null-call (2.50×).
      shared  No cycles are modelled. The kernel is written in TypeScript.

      Beside published figures
      Their machines, kernels and programs are not ours, so what carries over is what a technique adds to
      native. The last ratio is ours over theirs: 1 when the technique costs us what it cost them.

                          published        ours  ours ÷ published  theirs ÷ native  ours ÷ bare  ratio of both
      ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
      syscall    native  242 cycles  242 cycles             1.00×                                               calibrated, unverified
      null-call  native     0.45 µs     0.11 µs             0.23×

      Not in the table
      odd, failed: It wrote last: "</td><img src=x>". (syscall)
      shared, n/a: It runs no kernels. (syscall)
      shared, not modelled: The kernel is written in TypeScript. (null-call)

      Where published figures come from
      syscall: recalled for a Pentium 4 of 2006, in no source
      null-call: Barham et al., SOSP 2003, tables 3 to 5: Linux UP, Xen, VMware Workstation 3.2 on a 2.4
        GHz Xeon
      Calibrated: the profile pentium-4 is made so that this native figure comes out, so ours is no
        prediction there."
    `);
  });

  test("shows parts and wall time of each cell when asked", () => {
    const plain = picocolors.createColors(false);
    const text = terminalReport(sampleReport, plain, { cells: true });
    const shown = /Cell by cell\n(?<cells>[^]*?)\n\n/u.exec(text)?.groups?.["cells"];
    expect(shown).toMatchInlineSnapshot(`
      "                   wall, here  instructions  the largest parts, in cycles
      ──────────────────────────────────────────────────────────────────────────────────────────────────
      syscall    bare       2.50 µs            10  SYSCALLs × 1 = 121, instructions of the guest × 9 = 9
      null-call  bare       2.50 µs            10  SYSCALLs × 1 = 121, instructions of the guest × 9 = 9
      null-call  odd        2.50 µs            10  SYSCALLs × 1 = 121, instructions of the guest × 9 = 9
      null-call  shared     2.50 µs            10  getppid() × 1, syscall × 1"
    `);
    expect(terminalReport(sampleReport, plain)).not.toContain("Cell by cell");
  });

  test("sets columns apart by what is seen, not by colour codes", () => {
    const coloured = terminalReport(sampleReport, picocolors.createColors(true));
    expect(coloured).toContain("\u001b[31mfailed\u001b[39m");
    // oxlint-disable-next-line no-control-regex -- Colour codes begin with the escape character.
    const plain = coloured.replaceAll(/\u001b\[[0-9;]*m/gu, "");
    expect(plain.split("\n").map((line) => line.trimEnd())).toEqual(
      terminalReport(sampleReport, picocolors.createColors(false)).split("\n"),
    );
  });

  test.each([60, 80, 120])("fits into a terminal of %i columns", (columns) => {
    const plain = picocolors.createColors(false);
    const text = terminalReport(sampleReport, plain, { columns });
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(columns);
  });

  test("shows strategies below each other that do not fit side by side", () => {
    const plain = picocolors.createColors(false);
    const text = terminalReport(sampleReport, plain, { columns: 40 });
    for (const id of ["bare", "odd", "shared"]) {
      expect(text).toMatch(new RegExp(`^ +${id}\n─+\n.*\nsyscall `, "mu"));
    }
  });

  test("says nothing about strategies that bare is not among", () => {
    const report = {
      ...sampleReport,
      strategies: sampleReport.strategies.slice(1),
      results: sampleReport.results.filter(({ strategy }) => strategy !== "bare"),
    };
    expect(terminalReport(report, picocolors.createColors(false))).not.toMatch(/\d×/u);
  });
});

describe("htmlReport", () => {
  const page = htmlReport(sampleReport);

  test("is one page that loads nothing and runs nothing", () => {
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/u);
    expect(page.match(/<svg /gu)).toHaveLength(6);
    expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\((?!['"]?#)|\son\w+=/iu);
    expect(
      [...page.matchAll(/https?:\/\/[^\s"'<)]+/gu)]
        .map(([url]) => url)
        .filter((url) => !url.startsWith("http://www.w3.org/")),
    ).toEqual(
      sampleReport.profile.constants.flatMap(
        ({ source }) => source.match(/https?:\/\/[^\s"'<)]+/gu) ?? [],
      ),
    );
  });

  test("writes text from strategies and guests as text", () => {
    expect(page).toContain("Odd &amp; &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
    expect(page).toContain("It wrote last: &quot;&lt;/td&gt;&lt;img src=x&gt;&quot;.");
    expect(page).not.toContain("<b>odd</b>");
  });

  test("shows the whole at a glance, with colour where the cost is not bare's", () => {
    const glance = /<section id="overview">[^]*?<\/section>/u.exec(page)?.[0];
    expect(glance).toContain('<td class="number">1.00×<small>242</small></td>');
    expect(glance).toMatch(/<td class="number dearer" style="--by: 0\.\d+">2\.50×<small>1,000</u);
    expect(glance).toContain('title="It runs no kernels.">n/a</td>');
    expect(glance).toContain("<small>SYSCALL and SYSRET</small>");
  });

  test("links to each of its sections", () => {
    const linked = [...page.matchAll(/<a href="#(\w+)">/gu)].map(([, id]) => id);
    expect(linked).toEqual([...page.matchAll(/<section id="(\w+)">/gu)].map(([, id]) => id));
    expect(linked).toContain("published");
  });

  test("has charts whose lines the style sheet finds, to make them fit a dark page", () => {
    const found = [...page.matchAll(/figure svg \[stroke="([^"]+)"\]/gu)].map(
      ([, colour]) => colour,
    );
    expect(found).toHaveLength(2);
    for (const colour of found)
      expect(page).toMatch(new RegExp(`<path [^>]*stroke="${colour}"`, "u"));
  });

  test("has a cell for every result", () => {
    expect(page).toContain('<td class="number">242</td><td class="number">1.00×</td>');
    expect(page).toContain('<td class="number">1,000</td><td class="number">2.50×</td>');
    expect(page).toContain("failed: It wrote last");
    expect(page).toContain('class="quiet">It runs no kernels.');
    expect(page).toContain('title="The kernel is written in TypeScript."');
  });
});
