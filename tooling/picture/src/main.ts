/**
 * `pnpm picture`: runs the comparison and draws its table into docs/compare.svg, the README's picture.
 *
 * What is drawn is what the command printed, escape sequences of colour included, as far as the end of the table:
 * the explanations under it would make the picture too tall to look at.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { terminalSvg } from "./svg.ts";
import { terminalLines } from "./terminal-text.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const args = ["compare", ...process.argv.slice(2)];
const { status, stdout } = spawnSync(
  process.execPath,
  ["--conditions=@ringside/source", "apps/bench/src/main.ts", ...args],
  {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 << 20,
  },
);
if (status !== 0) throw new Error(`ringside ${args.join(" ")} ended with status ${status}.`);
const lines = terminalLines(stdout);
const titleBelow = "What one operation is";
const below = lines.findIndex((line) => line.map(({ text }) => text).join("") === titleBelow);
if (below === -1)
  throw new Error(`The comparison printed no line "${titleBelow}" below its table.`);
const table = lines.slice(0, below - 1);
writeFileSync(`${root}docs/compare.svg`, terminalSvg(`pnpm ${args.join(" ")}`, table));
console.log("docs/compare.svg");
