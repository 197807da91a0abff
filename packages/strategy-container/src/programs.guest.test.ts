/** The guest's programs on the shared kernel: they must print what they print on Linux. */
import { programCases, userProgram, type ProgramCase } from "@ringside/guest";
import { Host, shellStatus } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { container } from "./index.ts";

const memoryBytes = 64 * 1024 * 1024;
/** Programs without an end must be stopped by their limit; the others stay far below. */
const endlessUnits = 20_000_000;
const enoughUnits = 5_000_000_000;

function runCase({ program, args, env, statuses }: ProgramCase) {
  const decoder = new TextDecoder();
  let stdout = "";
  const path = `/${program}`;
  using vm = container.create(
    Host.create({ memoryBytes: memoryBytes + 1024 * 1024 }),
    {
      kind: "program",
      argv: [path, ...args],
      env,
      files: new Map([[path, { bytes: userProgram(program), mode: 0o755 }]]),
      memoryBytes,
    },
    { output: { stdout: (bytes) => (stdout += decoder.decode(bytes, { stream: true })) } },
  );
  vm.input.end();
  const exit = vm.run(statuses.length === 0 ? endlessUnits : enoughUnits);
  return { exit, stdout };
}

describe("a program of the guest in a container", () => {
  for (const programCase of programCases) {
    const { name, args, statuses, output } = programCase;
    test(`ends as documented: ${[name, ...args].join(" ")}`, () => {
      const { exit, stdout } = runCase(programCase);
      if (statuses.length === 0) {
        expect(exit.reason).toBe("limit");
        return;
      }
      expect(exit.reason).toBe("exited");
      if (exit.reason === "exited") expect(statuses).toContain(shellStatus(exit.status));
      if (output !== undefined) expect(stdout).toBe(output);
    });
  }
});
