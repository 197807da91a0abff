/** The command line as data: every command explains itself. */
import { expect, test } from "vitest";
import { command } from "./command-line.ts";

test.each(command().commands.map((sub) => [sub.name(), sub] as const))(
  "%s has a description and an example in its help",
  (_name, sub) => {
    let help = "";
    sub.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(sub.description()).toMatch(/\.$/u);
    expect(help).toContain("Example:\n  $ ");
  },
);
