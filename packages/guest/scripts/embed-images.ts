/**
 * Writes the built images as TypeScript modules into src/images, so that packages that run in browsers can import them.
 *
 * Run after the builds: `node scripts/embed-images.ts`. Reads images/*.elf, user/build and user/programs.json.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, "src/images");

interface Listed {
  readonly name: string;
  readonly category: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly status?: number | readonly number[];
  readonly ending?: "limit";
  readonly output?: string;
}

function base64(path: string): string {
  return readFileSync(join(root, path)).toString("base64");
}

function write(name: string, about: string, lines: readonly string[]): void {
  const header = `/** ${about} Written by scripts/embed-images.ts. */\n`;
  writeFileSync(join(out, `${name}.ts`), `${header}${lines.join("\n")}\n`);
}

mkdirSync(out, { recursive: true });
for (const [name, path] of [
  ["kernel", "images/kernel.elf"],
  ["nano", "images/nano.elf"],
  ["init", "user/build/init"],
] as const) {
  write(name, `The ELF file ${path}, in base64.`, [`export const ${name} =`, `  "${base64(path)}";`]);
}

const { programs } = JSON.parse(readFileSync(join(root, "user/programs.json"), "utf8")) as {
  programs: readonly Listed[];
};
const files = [...new Set(programs.map(({ file }) => file))].toSorted();
write("programs", "The ELF files of user/build by path, in base64.", [
  "export const programs: Readonly<Record<string, string>> = {",
  ...files.map((file) => `  "${file}":\n    "${base64(`user/build/${file}`)}",`),
  "};",
]);

const list = programs.map(({ name, category, file, args, env = [], status, ending, output }) => ({
  name,
  category,
  file,
  args,
  env,
  statuses: ending === "limit" ? [] : [status ?? 0].flat(),
  ...(output === undefined ? {} : { output: readFileSync(join(root, "user", output), "utf8") }),
}));
write("manifest", "What is in user/programs.json.", [
  'import type { GuestProgram } from "../guest-program.ts";',
  "",
  `export const guestPrograms: readonly GuestProgram[] = ${JSON.stringify(list, undefined, 2)};`,
]);
