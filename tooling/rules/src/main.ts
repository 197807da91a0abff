/** `pnpm rules`: checks that every source file keeps the rules that no linter knows. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { packageManifest } from "./package-manifest.ts";
import { sectionTitles } from "./section-titles.ts";
import type { Complaint, SourceFile } from "./source-file.ts";
import { suppressionReasons } from "./suppression-reasons.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

function files(...patterns: string[]): SourceFile[] {
  return globSync(patterns, { cwd: root })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !/(?:^|\/)(?:node_modules|dist)\//u.test(path))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(root + path, "utf8") }));
}

const rules: readonly (readonly [SourceFile[], (file: SourceFile) => Complaint[]])[] = [
  [files("packages/**/*.{ts,md,c,h,S}"), sectionTitles],
  [files("{packages,apps,ambient}/**/*.ts"), suppressionReasons],
  [files("{packages,apps}/*/package.json"), packageManifest],
];

let checked = 0;
const complaints: Complaint[] = [];
for (const [subjects, rule] of rules) {
  checked += subjects.length;
  complaints.push(...subjects.flatMap(rule));
}
for (const { path, line, message } of complaints) console.error(`${path}:${line}: ${message}`);
console.log(`${checked} files checked, ${complaints.length} complaints`);
process.exitCode = complaints.length === 0 ? 0 : 1;
