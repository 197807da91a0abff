/**
 * Runs the installed packages in a browser, as they are: no bundler, no server, one import map.
 *
 * The same module runs in Node; what a machine did and counted must be the same in both.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
/** What a browser takes of a package's conditions, the first that is there. */
const CONDITIONS = new Set(["browser", "import", "default"]);

type Entry = string | { readonly [condition: string]: Entry };

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports?: { readonly [path: string]: Entry };
}

/** A Chromium of this machine; undefined when it has none. */
export function findChromium(): string | undefined {
  return NAMES.find((name) => spawnSync(name, ["--version"]).status === 0);
}

/**
 * @param folder Where the packages are installed by npm.
 * @param program A module that puts one line of text into `globalThis.report`.
 * @returns That line.
 * @throws {Error} The browser did not get as far.
 */
export function runInChromium(chromium: string, folder: string, program: string): string {
  const place = join(folder, "in-chromium");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "program.js"), program);
  const imports = JSON.stringify({ imports: importMap(folder) });
  writeFileSync(
    join(place, "page.html"),
    `<!doctype html><meta charset="utf-8"><output></output>
<script type="importmap">${imports}</script>
<script>
const show = (text) => { document.querySelector("output").textContent = text; };
addEventListener("error", ({ message }) => show("failed: " + message));
</script>
<script type="module" src="program.js"></script>
<script type="module">if (globalThis.report !== undefined) show(globalThis.report);</script>`,
  );
  const { stdout, stderr } = spawnSync(
    chromium,
    [
      ...["--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
      // The page is ours and loads nothing but files; the sandbox does not start for root or in most containers.
      ...["--no-sandbox", "--allow-file-access-from-files"],
      ...[
        `--user-data-dir=${join(place, "profile")}`,
        "--virtual-time-budget=120000",
        "--dump-dom",
      ],
      pathToFileURL(join(place, "page.html")).href,
    ],
    { encoding: "utf8", timeout: 300_000, maxBuffer: 64 << 20 },
  );
  const text = /<output>([^<]+)<\/output>/u.exec(stdout)?.[1];
  if (text === undefined) throw new Error(`${chromium} gave no report.\n${stderr}`);
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Every entry point of our packages and of those that they depend on, as far as a browser can load it. */
function importMap(folder: string): Record<string, string> {
  const modules = join(folder, "node_modules");
  const read = (name: string): Manifest =>
    JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  const ours = globSync("@ringside/*", { cwd: modules });
  const names = new Set(
    ours.flatMap((name) => [name, ...Object.keys(read(name).dependencies ?? {})]),
  );
  const map: Record<string, string> = {};
  for (const name of names) {
    for (const [path, entry] of Object.entries(read(name).exports ?? {})) {
      const file = fileOf(entry);
      if (path.includes("*") || file === undefined) continue;
      map[name + path.slice(1)] = pathToFileURL(join(modules, name, file)).href;
    }
  }
  return map;
}

function fileOf(entry: Entry): string | undefined {
  if (typeof entry === "string") return entry;
  for (const [condition, inner] of Object.entries(entry)) {
    const file = CONDITIONS.has(condition) ? fileOf(inner) : undefined;
    if (file !== undefined) return file;
  }
  return undefined;
}
