/** The command line as data: every command explains itself. */
import { costProfiles } from "@ringside/strategy";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { command } from "./command-line.ts";
import { benchmarks } from "./comparison/benchmarks.ts";

function helpOf(sub: Command | undefined): string {
  let help = "";
  sub?.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  return help;
}

test.each(command().commands.map((sub) => [sub.name(), sub] as const))(
  "%s has a description and an example in its help",
  (_name, sub) => {
    const help = helpOf(sub);
    expect(sub.description()).toMatch(/\.$/u);
    expect(help).toContain("Example:\n  $ ");
  },
);

test("compare names every profile, and every benchmark with what it is", () => {
  const help = helpOf(command().commands.find((sub) => sub.name() === "compare"));
  expect(help).toContain(`\nProfiles: ${costProfiles.map(({ id }) => id).join(", ")}.\n`);
  for (const { id, operation } of benchmarks) {
    expect(help.replaceAll(/ +/gu, " ")).toContain(`\n ${id} ${operation}\n`);
  }
});
