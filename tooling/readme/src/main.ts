/**
 * `pnpm check:readme`: a README shows only code that runs.
 *
 * Every TypeScript block of a README is a file of the examples/ beside it, word for word; every example runs
 * and prints what its `// =>` comments promise. Links between files lead somewhere, and the pnpm version that
 * documents name is the pinned one.
 *
 *     --write    bring code blocks and "Differs from the manual" up to date instead of complaining
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { codeBlocks } from "./code-blocks.ts";
import { manualDifferences, withManualDifferences } from "./manual-differences.ts";
import { relativeLinks } from "./relative-links.ts";
import { brokenPromise, promisedOutput } from "./promised-output.ts";

const maximumLines = 80;
const root = fileURLToPath(new URL("../../../", import.meta.url));
const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });

const complaints: string[] = [];
const pinned = /"packageManager": "(pnpm@[^"]+)"/u.exec(read("package.json"))?.[1];
let examplesRun = 0;

for (const folder of globSync("{packages,apps}/*", { cwd: root }).toSorted()) {
  const path = `${folder}/README.md`;
  if (!existsSync(join(root, path))) {
    complaints.push(`${path} is missing.`);
    continue;
  }
  checkDifferences(folder, path);
  checkCode(folder, path);
  const lines = read(path).split("\n").length - 1;
  if (lines > maximumLines)
    complaints.push(`${path} has ${lines} lines, of at most ${maximumLines}.`);
  for (const example of globSync(`${folder}/examples/*.ts`, { cwd: root }).toSorted()) run(example);
}
checkCode(".", "README.md");
const documents = globSync(["*.md", "docs/**/*.md", "{packages,apps,tooling}/**/*.md"], {
  cwd: root,
  exclude: (path) => /(?:^|\/)(?:node_modules|dist)$/u.test(path),
}).toSorted();
for (const path of documents) {
  for (const target of relativeLinks(read(path))) {
    if (!existsSync(join(root, dirname(path), target))) {
      complaints.push(`${path} links to ${target}, which is not there.`);
    }
  }
  for (const [name] of read(path).matchAll(/pnpm@\d[\w.-]*/gu)) {
    if (name !== pinned) complaints.push(`${path} says ${name}, and package.json pins ${pinned}.`);
  }
}

for (const complaint of complaints) console.error(complaint);
console.log(`${examplesRun} examples run, ${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** With --write, a block that is no example is replaced by the only example there is. */
function checkCode(folder: string, path: string): void {
  const examples = globSync(`${folder}/examples/*.ts`, { cwd: root });
  const texts = new Map(examples.map((example) => [read(example), example]));
  let readme = read(path);
  for (const { language, code, line } of codeBlocks(readme)) {
    if (language !== "ts" || texts.has(code)) continue;
    const [only, ...others] = examples;
    if (values.write && only !== undefined && others.length === 0) {
      readme = readme.replace(code, () => read(only));
      writeFileSync(join(root, path), readme);
    } else {
      complaints.push(`${path}:${line}: this code is no file of ${folder}/examples/.`);
    }
  }
}

function checkDifferences(folder: string, path: string): void {
  const sources = globSync(`${folder}/src/**/*.ts`, { cwd: root })
    .toSorted()
    .map((file) => ({ path: file.slice(folder.length + 1), text: read(file) }));
  const readme = read(path);
  const wanted = withManualDifferences(readme, manualDifferences(sources));
  if (wanted === readme) return;
  if (values.write) writeFileSync(join(root, path), wanted);
  else complaints.push(`${path}: "Differs from the manual" is old. Run pnpm check:readme --write.`);
}

function run(example: string): void {
  examplesRun += 1;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=@ringside/source", example],
    { cwd: root, encoding: "utf8", timeout: 120_000 },
  );
  if (status !== 0) {
    complaints.push(`${example} ended with status ${status}:\n${stderr}`);
    return;
  }
  const broken = brokenPromise(promisedOutput(read(example)), stdout);
  if (broken !== undefined) {
    complaints.push(`${example} promises "${broken}" and printed:\n${stdout}`);
  }
}
