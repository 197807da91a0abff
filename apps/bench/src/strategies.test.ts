/** Finding strategies: built-in ones, plugins by path, a configuration file. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { builtInStrategies, findStrategies, findStrategy, knownStrategies } from "./strategies.ts";

const builtIn = builtInStrategies.map(({ id }) => id);

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The source of a strategy that nobody runs. */
const strategy = (id: string): string =>
  `{ id: "${id}", name: "N", summary: "S.", traits: {}, capabilities: {}, accepts() {}, create() {} }`;

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return `./${name}`;
}

async function idsOf(list: string | undefined): Promise<readonly string[]> {
  return (await findStrategies(list, folder)).map(({ id }) => id);
}

test("built-in strategies have the ids that the command calls them by", async () => {
  for (const { id, load } of builtInStrategies) expect((await load()).id).toBe(id);
});

describe("findStrategies", () => {
  test("gives all without a list, and the named ones in the order of their names", async () => {
    expect(await idsOf(undefined)).toEqual(builtIn);
    expect(await idsOf("container, bare,")).toEqual(["container", "bare"]);
    expect(await idsOf("bare,bare")).toEqual(["bare"]);
  });

  test("takes every strategy that the module at a path exports", async () => {
    const path = await file(
      "plugin.mjs",
      `export const one = ${strategy("one")}; export const two = ${strategy("two")}; export default one; export const other = 1;`,
    );
    expect(await idsOf(`bare,${path}`)).toEqual(["bare", "one", "two"]);
    await expect(findStrategy(path, folder)).rejects.toThrow(/names 2 strategies: one, two/u);
  });

  test("adds those of ringside.config.ts", async () => {
    await file(
      "ringside.config.ts",
      `const mine: { id: string } = ${strategy("mine")}; export default { strategies: [mine] };`,
    );
    expect(await idsOf(undefined)).toEqual([...builtIn, "mine"]);
    expect((await knownStrategies(folder)).length).toBe(builtIn.length + 1);
    expect((await findStrategy("mine", folder)).id).toBe("mine");
  });

  test.each([
    [
      "an unknown name",
      "nothing",
      /There is no strategy "nothing"\. Known ones: bare, (?:.+, )?container; or give/u,
    ],
    [
      "a path where nothing is",
      "./none.mjs",
      /There is no strategy "\.\/none\.mjs".*none of that name is here/u,
    ],
    ["no name", " , ", /No strategy is named/u],
  ])("refuses %s", async (_what, list, message) => {
    await expect(idsOf(list)).rejects.toThrow(
      expect.objectContaining({ name: "CommandError", message: expect.stringMatching(message) }),
    );
  });

  test.each([
    ["no strategy", "export const one = { id: 1 };", /exports no strategy/u],
    [
      "one with the id of another",
      `export const other = ${strategy("bare")};`,
      /Two strategies have the id "bare"/u,
    ],
    ["an error", "throw new Error('not today');", /not today/u],
  ])("refuses a plugin that has %s", async (what, source, message) => {
    const path = await file(`${what.replaceAll(" ", "-")}.mjs`, source);
    await expect(idsOf(`bare,${path}`)).rejects.toThrow(
      expect.objectContaining({ name: "CommandError", message: expect.stringMatching(message) }),
    );
  });

  test.each([
    ["does not export a list", "export default {};", /must export default \{ strategies/u],
    [
      "lists what is no strategy",
      "export default { strategies: [{}] };",
      /must export default \{ strategies/u,
    ],
    [
      "throws",
      "throw new Error('not today');",
      /ringside\.config\.ts cannot be loaded: not today/u,
    ],
  ])("refuses a configuration that %s", async (_what, source, message) => {
    await file("ringside.config.ts", source);
    await expect(idsOf("bare")).rejects.toThrow(
      expect.objectContaining({ name: "CommandError", message: expect.stringMatching(message) }),
    );
  });
});
