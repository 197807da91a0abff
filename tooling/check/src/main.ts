/**
 * `pnpm check`: one yes or no about everything.
 *
 * Runs all steps although one failed, so that one run shows all there is to mend.
 *
 *     --skip ID    leave a step out (repeatable)
 *     --tally      print "N passed, N failed" last: the tests of .cache/vitest.json and each step as one
 *     --outcome ID=ok|failed    count a step that the caller ran itself (repeatable)
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { steps } from "./steps.ts";
import { tallyReport } from "./tally.ts";

const root = new URL("../../../", import.meta.url);
const report = new URL(".cache/vitest.json", root);

const { values } = parseArgs({
  options: {
    skip: { type: "string", multiple: true, default: [] },
    outcome: { type: "string", multiple: true, default: [] },
    tally: { type: "boolean", default: false },
  },
});
for (const id of values.skip) {
  if (!steps.some((step) => step.id === id)) {
    throw new Error(`No step is called "${id}". There are: ${steps.map((s) => s.id).join(", ")}.`);
  }
}

const outcomes: { id: string; ok: boolean; seconds?: number }[] = values.outcome.map((text) => {
  const [, id, result] = /^(.+)=(ok|failed)$/u.exec(text) ?? [];
  if (id === undefined) throw new Error(`"${text}" is no outcome. Write ID=ok or ID=failed.`);
  return { id, ok: result === "ok" };
});
for (const { id, command } of steps) {
  if (values.skip.includes(id)) continue;
  console.log(`\n── ${id}: ${command}`);
  const start = performance.now();
  const { status } = spawnSync(command, {
    cwd: root,
    shell: true,
    stdio: ["ignore", "inherit", "inherit"],
  });
  outcomes.push({ id, ok: status === 0, seconds: (performance.now() - start) / 1000 });
}

console.log("");
for (const { id, ok, seconds } of outcomes) {
  const time = seconds === undefined ? "" : ` (${seconds.toFixed(1)} s)`;
  console.log(`${ok ? "ok    " : "FAILED"} ${id}${time}`);
}

let failed = outcomes.filter(({ ok }) => !ok).length;
if (values.tally) {
  let passed = outcomes.length - failed;
  if (existsSync(report)) {
    const tests = tallyReport(readFileSync(report, "utf8"));
    passed += tests.passed;
    failed += tests.failed;
    for (const failure of tests.failures) console.log(`FAILED test ${failure}`);
    console.log(`${tests.skipped} tests skipped`);
  } else {
    failed += 1;
    console.log("FAILED: the tests left no report");
  }
  console.log(`${passed} passed, ${failed} failed`);
}
process.exitCode = failed === 0 ? 0 : 1;
