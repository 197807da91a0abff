/**
 * Which strategies the command knows: the built-in ones, and plugins by package name, path or configuration file.
 *
 * A plugin is a module that exports a value of the type `Strategy`; nothing registers itself by being imported.
 */
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Strategy } from "@ringside/strategy";
import { bare } from "@ringside/strategy-bare";
import { container } from "@ringside/strategy-container";
import { vtx, vtxShadow } from "@ringside/strategy-vtx";
import { CommandError } from "./failure.ts";

/** The strategies that come with the command, in the order of the table's columns. */
export const builtInStrategies: readonly Strategy[] = [bare, vtx, vtxShadow, container];

const CONFIGURATION = "ringside.config.ts";

/** The built-in strategies and those that `ringside.config.ts` in `folder` lists. */
export async function knownStrategies(folder: string = process.cwd()): Promise<readonly Strategy[]> {
  return [...builtInStrategies, ...(await configuredStrategies(folder))];
}

/**
 * Finds strategies by what the user wrote: ids, package names or paths, with commas between them.
 *
 * @throws {CommandError} Nothing is called that, or a module exports no strategy.
 */
export async function findStrategies(list: string | undefined): Promise<readonly Strategy[]> {
  const known = await knownStrategies();
  if (list === undefined) return known;
  const found: Strategy[] = [];
  for (const name of list.split(",").map((part) => part.trim())) {
    if (name === "") continue;
    const strategy = known.find(({ id }) => id === name);
    found.push(...(strategy === undefined ? await loadPlugin(name, known) : [strategy]));
  }
  if (found.length === 0) throw new CommandError(`No strategy is named. Known ones: ${idsOf(known)}.`);
  return found;
}

/** The one strategy of that name. */
export async function findStrategy(name: string): Promise<Strategy> {
  const [strategy] = await findStrategies(name);
  if (strategy === undefined) throw new CommandError(`There is no strategy "${name}".`);
  return strategy;
}

async function loadPlugin(name: string, known: readonly Strategy[]): Promise<readonly Strategy[]> {
  const looksLikePath = /[./\\]/u.test(name) && !name.startsWith("@");
  const specifier = looksLikePath ? pathToFileURL(resolve(name)).href : name;
  let module: unknown;
  try {
    module = await import(specifier);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(
      `There is no strategy "${name}". Known ones: ${idsOf(known)}; or give a package or a path of a plugin (it could not be loaded: ${why}).`,
      undefined,
      { cause: error },
    );
  }
  const strategies = exportedStrategies(module);
  if (strategies.length === 0) throw new CommandError(`The plugin "${name}" exports no strategy. Export a value of the type Strategy.`);
  return strategies;
}

async function configuredStrategies(folder: string): Promise<readonly Strategy[]> {
  const path = resolve(folder, CONFIGURATION);
  try {
    await access(path);
  } catch {
    return []; // No configuration file: most folders have none.
  }
  const module: unknown = await import(pathToFileURL(path).href);
  const exported: unknown = isRecord(module) ? module["default"] : undefined;
  const list = isRecord(exported) ? exported["strategies"] : undefined;
  if (!Array.isArray(list) || !list.every(isStrategy)) {
    throw new CommandError(`${CONFIGURATION} must export default { strategies: [...] } with values of the type Strategy.`);
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

function idsOf(strategies: readonly Strategy[]): string {
  return strategies.map(({ id }) => id).join(", ");
}
