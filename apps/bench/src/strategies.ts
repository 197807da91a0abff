/**
 * Which strategies the command knows: the built-in ones, and plugins by package name, path or configuration file.
 *
 * A plugin is a module that exports a value of the type `Strategy`; nothing registers itself by being imported.
 */
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Strategy } from "@ringside/strategy";
import { CommandError } from "./failure.ts";

/** A strategy by its id. A built-in one is loaded when it is wanted: a package takes a moment to load. */
interface StrategyEntry {
  readonly id: string;
  readonly load: () => Promise<Strategy>;
}

/** The strategies that come with the command, in the order of the table's columns. */
export const builtInStrategies: readonly StrategyEntry[] = [
  { id: "bare", load: async () => (await import("@ringside/strategy-bare")).bare },
  {
    id: "binary-translation",
    load: async () => (await import("@ringside/strategy-binary-translation")).binaryTranslation,
  },
  { id: "paravirt", load: async () => (await import("@ringside/strategy-paravirt")).paravirt },
  { id: "vtx", load: async () => (await import("@ringside/strategy-vtx")).vtx },
  { id: "vtx:shadow", load: async () => (await import("@ringside/strategy-vtx")).vtxShadow },
  { id: "container", load: async () => (await import("@ringside/strategy-container")).container },
];

const CONFIGURATION = "ringside.config.ts";

/** The built-in strategies and those that `ringside.config.ts` in `folder` lists. */
export async function knownStrategies(
  folder: string = process.cwd(),
): Promise<readonly Strategy[]> {
  return unlikeIds(await Promise.all((await entries(folder)).map(({ load }) => load())));
}

/**
 * Finds strategies by what the user wrote: ids, package names or paths, with commas between them.
 *
 * @param folder Where `ringside.config.ts` is looked for, and what paths begin at.
 * @throws {CommandError} Nothing is called that, a module exports no strategy, or two have the same id.
 */
export async function findStrategies(
  list: string | undefined,
  folder: string = process.cwd(),
): Promise<readonly Strategy[]> {
  if (list === undefined) return knownStrategies(folder);
  const known = await entries(folder);
  const found = new Set<Strategy>();
  for (const name of list.split(",").map((part) => part.trim())) {
    if (name === "") continue;
    const entry = known.find(({ id }) => id === name);
    const strategies =
      entry === undefined ? await loadPlugin(name, folder, known) : [await entry.load()];
    for (const strategy of strategies) found.add(strategy);
  }
  if (found.size === 0)
    throw new CommandError(`No strategy is named. Known ones: ${idsOf(known)}.`);
  return unlikeIds([...found]);
}

/**
 * The one strategy of that name.
 *
 * @throws {CommandError} As {@link findStrategies}, and when a plugin exports several.
 */
export async function findStrategy(
  name: string,
  folder: string = process.cwd(),
): Promise<Strategy> {
  const strategies = await findStrategies(name, folder);
  const [strategy] = strategies;
  if (strategy === undefined || strategies.length > 1) {
    throw new CommandError(
      `"${name}" names ${strategies.length} strategies: ${idsOf(strategies)}. Name one.`,
    );
  }
  return strategy;
}

async function entries(folder: string): Promise<readonly StrategyEntry[]> {
  const configured = await configuredStrategies(folder);
  return [
    ...builtInStrategies,
    ...configured.map((strategy) => ({ id: strategy.id, load: async () => strategy })),
  ];
}

/** Results are told apart by the strategy's id. */
function unlikeIds(strategies: readonly Strategy[]): readonly Strategy[] {
  const twice = strategies.find(
    ({ id }, index) => strategies.findIndex((other) => other.id === id) !== index,
  );
  if (twice === undefined) return strategies;
  throw new CommandError(
    `Two strategies have the id "${twice.id}". Leave one out, or change its id.`,
  );
}

async function loadPlugin(
  name: string,
  folder: string,
  known: readonly StrategyEntry[],
): Promise<readonly Strategy[]> {
  const looksLikePath = /[./\\]/u.test(name) && !name.startsWith("@");
  const specifier = looksLikePath ? pathToFileURL(resolve(folder, name)).href : name;
  let module: unknown;
  try {
    module = await import(specifier);
  } catch (error) {
    throw new CommandError(
      `There is no strategy "${name}". Known ones: ${idsOf(known)}; or give a package or a path of a plugin (${whyNotLoaded(error)}).`,
      undefined,
      { cause: error },
    );
  }
  const strategies = exportedStrategies(module);
  if (strategies.length === 0)
    throw new CommandError(
      `The plugin "${name}" exports no strategy. Export a value of the type Strategy.`,
    );
  return strategies;
}

function whyNotLoaded(error: unknown): string {
  const isMissing =
    error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
  if (isMissing) return "none of that name is here";
  return `it could not be loaded: ${error instanceof Error ? error.message : String(error)}`;
}

async function configuredStrategies(folder: string): Promise<readonly Strategy[]> {
  const path = resolve(folder, CONFIGURATION);
  try {
    await access(path);
  } catch {
    return []; // No configuration file: most folders have none.
  }
  let module: unknown;
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(`${path} cannot be loaded: ${why}`, undefined, { cause: error });
  }
  const exported: unknown = isRecord(module) ? module["default"] : undefined;
  const list = isRecord(exported) ? exported["strategies"] : undefined;
  if (!Array.isArray(list) || !list.every(isStrategy)) {
    throw new CommandError(
      `${CONFIGURATION} must export default { strategies: [...] } with values of the type Strategy.`,
    );
  }
  return list;
}

function exportedStrategies(module: unknown): readonly Strategy[] {
  return isRecord(module) ? [...new Set(Object.values(module).filter(isStrategy))] : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isStrategy(value: unknown): value is Strategy {
  return (
    isRecord(value) &&
    typeof value["id"] === "string" &&
    typeof value["name"] === "string" &&
    typeof value["summary"] === "string" &&
    typeof value["create"] === "function" &&
    typeof value["accepts"] === "function" &&
    isRecord(value["traits"]) &&
    isRecord(value["capabilities"])
  );
}

function idsOf(strategies: readonly { readonly id: string }[]): string {
  return strategies.map(({ id }) => id).join(", ");
}
