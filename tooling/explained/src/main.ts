/**
 * `pnpm check:explained`: what a document shows of the command's output is what the command prints, and what it shows of
 * the guest kernel is what the kernel has.
 *
 * Runs `ringside` for every block of docs/ and compares, line by line.
 *
 *     --write    bring the blocks up to date instead of complaining
 */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { withOutput } from "./explained-blocks.ts";
import { portedFunction } from "./ported-function.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });

const outputs = new Map<string, string>();
let old = 0;
for (const path of globSync("docs/**/*.md", { cwd: root }).toSorted()) {
  const document = readFileSync(join(root, path), "utf8");
  const wanted = withOutput(document, { printedBy, portedBy });
  if (wanted === document) continue;
  if (values.write) {
    writeFileSync(join(root, path), wanted);
  } else {
    old += 1;
    console.error(
      `${path}: ${firstDifference(document, wanted)} Run pnpm check:explained --write.`,
    );
  }
}
console.log(`${outputs.size} commands run, ${old} documents old`);
process.exitCode = old === 0 ? 0 : 1;

function printedBy(args: readonly string[]): string {
  const key = args.join(" ");
  const known = outputs.get(key);
  if (known !== undefined) return known;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=@ringside/source", "apps/bench/src/main.ts", ...args],
    { cwd: root, encoding: "utf8", timeout: 300_000 },
  );
  if (status !== 0) throw new Error(`ringside ${key} ended with status ${status}:\n${stderr}`);
  outputs.set(key, stdout);
  return stdout;
}

function portedBy(name: string): string {
  return portedFunction(name, kernelSources("native"), kernelSources("xen"));
}

function kernelSources(build: string): readonly string[] {
  const paths = globSync(`packages/guest/kernel/arch/${build}/*.c`, { cwd: root }).toSorted();
  return paths.map((path) => readFileSync(join(root, path), "utf8"));
}

function firstDifference(document: string, wanted: string): string {
  const lines = document.split("\n");
  const at = wanted.split("\n").findIndex((line, index) => line !== lines[index]);
  return `line ${at + 1} is old: "${lines[at]?.trim() ?? ""}".`;
}
