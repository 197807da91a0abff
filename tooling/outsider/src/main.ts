/**
 * `pnpm outsider`: uses the published packages as somebody does who has nothing else.
 *
 * Packs the tarballs, installs them with npm in an empty folder outside the repository, and there: compiles the
 * declarations as a browser program would, compiles and runs each README's example, on the newest and on the
 * oldest supported Node, runs every strategy in Chromium where there is one, and the conformance suite on a strategy that
 * a third party wrote.
 *
 *     --keep    leave the folder behind and print where it is
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findChromium, runInChromium } from "./chromium.ts";
import { everyStrategy } from "./every-strategy.ts";
import { brokenPromise, promisedOutput } from "@ringside/tooling-readme/promised-output";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });

/** Runs to the end and gives what was printed. */
function run(cwd: string, command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  if (status === 0) return stdout;
  throw new Error(
    `${command} ${args.join(" ")} ended with ${error?.message ?? `status ${status}`}:\n${stdout}${stderr}`,
  );
}

const versionOf = (name: string): string => {
  const line = new RegExp(`^  "?${name}"?: (\\S+)$`, "mu");
  const version = line.exec(readFileSync(join(root, "pnpm-workspace.yaml"), "utf8"))?.[1];
  if (version === undefined) throw new Error(`The catalog has no version of ${name}.`);
  return version;
};

function packInto(folder: string): string[] {
  for (const path of globSync("packages/*", { cwd: root })) {
    run(join(root, path), "pnpm", ["pack", "--pack-destination", folder]);
  }
  return globSync("*.tgz", { cwd: folder }).map((tarball) => `./${tarball}`);
}

function install(folder: string, tarballs: readonly string[]): void {
  writeJson(join(folder, "package.json"), { name: "outsider", private: true, type: "module" });
  const tools = [`vitest@${versionOf("vitest")}`, `typescript@${versionOf("typescript")}`];
  const types = `@types/node@${versionOf("@types/node")}`;
  run(folder, "npm", ["install", "--no-audit", "--no-fund", ...tarballs, ...tools, types]);
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** Declarations alone, every one of them checked, with the globals of a browser and none of Node. */
function compileForBrowsers(folder: string): void {
  const imports = globSync("packages/*/package.json", { cwd: root }).flatMap((path) => {
    const manifest: { name: string; exports: Record<string, unknown> } = JSON.parse(
      readFileSync(join(root, path), "utf8"),
    );
    return Object.keys(manifest.exports)
      .filter(
        (entry) => entry !== "./package.json" && entry !== "./vitest" && entry !== "./testing",
      )
      .map((entry) => `import "${join(manifest.name, entry)}";\n`);
  });
  mkdirSync(join(folder, "browser"));
  writeFileSync(join(folder, "browser/all.ts"), imports.join(""));
  writeJson(join(folder, "browser/tsconfig.json"), {
    compilerOptions: {
      strict: true,
      noEmit: true,
      module: "ESNext",
      moduleResolution: "bundler",
      target: "ES2024",
      lib: ["ES2024", "ESNext.Disposable", "DOM"],
      types: [],
    },
  });
  run(folder, "npx", ["tsc", "-p", "browser"]);
}

/** Every example of every package, compiled to JavaScript in out/. */
function compileExamples(folder: string): void {
  const examples = globSync("packages/*/examples", { cwd: root });
  if (examples.length === 0) throw new Error("No package has examples/.");
  for (const path of examples) {
    cpSync(join(root, path), join(folder, "examples", path.split(/[\\/]/u)[1] ?? ""), {
      recursive: true,
    });
  }
  writeJson(join(folder, "examples/tsconfig.json"), {
    compilerOptions: {
      strict: true,
      module: "NodeNext",
      target: "ES2022",
      lib: ["ES2024", "ESNext.Disposable"],
      types: ["node"],
      skipLibCheck: true,
      rootDir: ".",
      outDir: "../out",
    },
  });
  run(folder, "npx", ["tsc", "-p", "examples"]);
}

function runExamples(folder: string, node: string): void {
  const version = run(folder, node, ["--version"]).trim();
  for (const example of globSync("out/**/*.js", { cwd: folder }).toSorted()) {
    const output = run(folder, node, [example]);
    const source = readFileSync(
      join(folder, example.replace("out", "examples").replace(/\.js$/u, ".ts")),
      "utf8",
    );
    const broken = brokenPromise(promisedOutput(source), output);
    if (broken !== undefined) {
      throw new Error(`${example} promises "${broken}" and printed on ${version}:\n${output}`);
    }
    console.log(`ok ${example} on Node ${version}`);
  }
}

/** Every strategy in a browser: what happens there, and is counted, is what happens in Node. */
function runInBrowser(folder: string): void {
  const chromium = findChromium();
  if (chromium === undefined) {
    console.log("skipped every strategy in a browser: this machine has no Chromium");
    return;
  }
  writeFileSync(join(folder, "in-node.mjs"), `${everyStrategy}console.log(globalThis.report);`);
  const inNode = run(folder, process.execPath, ["in-node.mjs"]).trim();
  const there = runInChromium(chromium, folder, everyStrategy);
  if (there !== inNode) throw new Error(`In ${chromium}:\n${there}\nIn Node:\n${inNode}`);
  console.log(`ok every strategy does and counts the same in ${chromium} as in Node`);
}

/** A strategy that a third party wrote, against the suite that ours pass. */
function runStranger(folder: string): void {
  cpSync(fileURLToPath(new URL("../stranger", import.meta.url)), join(folder, "stranger"), {
    recursive: true,
  });
  run(folder, "npx", ["tsc", "-p", "stranger"]);
  const report = join(folder, "stranger.json");
  const reporters = ["--reporter=dot", "--reporter=json", `--outputFile.json=${report}`];
  run(folder, "npx", ["vitest", "run", "--root", "stranger", ...reporters]);
  const { numPassedTests }: { numPassedTests: number } = JSON.parse(readFileSync(report, "utf8"));
  if (!(numPassedTests > 0)) throw new Error("The stranger's strategy ran no conformance case.");
  console.log(`ok the stranger's strategy: ${numPassedTests} conformance cases`);
}

const oldestNode = (): string =>
  run(root, "pnpm", [
    "--silent",
    "dlx",
    "--allow-build=node",
    "--package=node@22.12.0",
    "node",
    "-p",
    "process.execPath",
  ]).trim();

/** Says what failed and goes on, so that one run shows all there is to mend. */
function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    console.error(`FAILED ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

const folder = mkdtempSync(join(tmpdir(), "ringside-outsider-"));
try {
  run(root, "pnpm", ["build"]);
  const tarballs = packInto(folder);
  install(folder, tarballs);
  console.log(`ok installed ${tarballs.map((path) => basename(path)).join(" ")}`);
  attempt(() => {
    compileForBrowsers(folder);
    console.log("ok declarations compile with the globals of a browser");
  });
  attempt(() => {
    compileExamples(folder);
    for (const node of [process.execPath, oldestNode()]) runExamples(folder, node);
  });
  attempt(() => runInBrowser(folder));
  attempt(() => runStranger(folder));
} finally {
  if (values.keep) console.log(folder);
  else rmSync(folder, { recursive: true, force: true });
}
