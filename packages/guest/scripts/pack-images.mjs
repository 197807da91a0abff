/**
 * Writes the modules of src/images from built images.
 *
 *     node scripts/pack-images.mjs IMAGES PROGRAMS OUT
 *
 * IMAGES holds kernels (*.elf) and disk.bin, PROGRAMS what user/Makefile built; OUT is src/images. The same input
 * gives the same bytes.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [images, built, out] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: pack-images.mjs IMAGES PROGRAMS OUT");

/** Shorter runs of zeros are not worth two separators. */
const shortestRun = 16;

/** See src/packed-image.ts. */
function pack(bytes) {
  const pieces = [];
  let start = 0;
  for (let at = 0; at < bytes.length;) {
    let end = at;
    while (end < bytes.length && bytes[end] === 0) end++;
    if (end - at >= shortestRun) {
      pieces.push(bytes.subarray(start, at).toString("base64"), String(end - at));
      start = end;
    }
    at = Math.max(end, at + 1);
  }
  pieces.push(bytes.subarray(start).toString("base64"));
  return pieces.join(" ");
}

const header = "/** Written by scripts/pack-images.mjs, see there. */\n";

function constant(name, text) {
  return `${header}export const ${name}: string =\n  "${text}";\n`;
}

mkdirSync(out, { recursive: true });
for (const file of readdirSync(images).toSorted()) {
  const name = /^(.+)\.(?:elf|bin)$/u.exec(file)?.[1];
  if (name === undefined) continue;
  const identifier = name.replaceAll(/-(.)/gu, (_, letter) => letter.toUpperCase());
  writeFileSync(
    join(out, `${name}.ts`),
    constant(identifier, pack(readFileSync(join(images, file)))),
  );
}

const names = ["init", "bin/bench"];
for (const folder of ["tests", "hostile"]) {
  for (const name of readdirSync(join(built, folder)).toSorted()) names.push(`${folder}/${name}`);
}
const entries = names.map(
  (name) => `  [\n    "${name}",\n    "${pack(readFileSync(join(built, name)))}",\n  ],\n`,
);
writeFileSync(
  join(out, "programs.ts"),
  `${header}export const programs: readonly (readonly [name: string, packed: string])[] = [\n${entries.join("")}];\n`,
);

const user = new URL("../user/", import.meta.url);
const { programs } = JSON.parse(readFileSync(new URL("programs.json", user), "utf8"));
const cases = programs.map(({ name, category, file, args, env, status, ending, output }) => ({
  name,
  category,
  program: file,
  args,
  env: env ?? [],
  statuses: ending === "limit" ? [] : [status].flat(),
  ...(output === undefined ? {} : { output: readFileSync(new URL(output, user), "utf8") }),
}));

/** A value as the formatter writes it. */
function format(value, indent) {
  const flat = JSON.stringify(value);
  if (typeof value !== "object") return flat;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    return value.length === 0 ? "[]" : `[${value.map((item) => format(item, inner)).join(", ")}]`;
  }
  const fields = Object.entries(value).map(([key, field]) => {
    const text = format(field, inner);
    const line = `${inner}${key}: ${text},`;
    return line.length <= 100 || typeof field !== "string"
      ? line
      : `${inner}${key}:\n${inner}  ${text},`;
  });
  return `{\n${fields.join("\n")}\n${indent}}`;
}

const lines = cases.map((value) => `  ${format(value, "  ")},\n`);
writeFileSync(
  join(out, "cases.ts"),
  `${header}import type { ProgramCase } from "../program-cases.ts";\n\nexport const cases: readonly ProgramCase[] = [\n${lines.join("")}];\n`,
);
