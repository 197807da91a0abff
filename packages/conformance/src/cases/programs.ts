/** The guest's test programs: what they print on Linux is what they print under every strategy. */
import { programCases, userProgram, type ProgramCase } from "@ringside/guest";
import { shellStatus, type ProgramGuest } from "@ringside/strategy";
import type { ConformanceCase } from "../conformance-case.ts";
import { execute, outcome, type Execution } from "../execution.ts";

const memoryBytes = 96 * 1024 * 1024;
/** Units for a program that has no end of its own: some millions of what it does, after the machine has started. */
const endlessUnits = 10_000_000;

function guestOf({ program, args, env }: ProgramCase): ProgramGuest {
  const name = program.split("/").at(-1) ?? program;
  const path = `/bin/${name}`;
  return {
    kind: "program",
    argv: [path, ...args],
    env,
    files: new Map([[path, { bytes: userProgram(program), mode: 0o755 }]]),
    memoryBytes,
  };
}

function check(program: ProgramCase, execution: Execution): void {
  const { exit } = execution;
  if (program.statuses.length === 0) {
    if (exit.reason === "limit") return;
    throw new Error(`expected to spend the limit, got ${outcome(execution)}`);
  }
  if (exit.reason !== "exited" || !program.statuses.includes(shellStatus(exit.status))) {
    throw new Error(
      `expected the status ${program.statuses.join(" or ")}, got ${outcome(execution)}`,
    );
  }
  if (program.output === undefined) return;
  const printed = new TextDecoder().decode(execution.stdout);
  if (printed === program.output) return;
  const [got, wanted] = [printed.split("\n"), program.output.split("\n")];
  const line = wanted.findIndex((text, index) => text !== got[index]);
  throw new Error(
    `line ${line + 1}: expected ${JSON.stringify(wanted[line])}, got ${JSON.stringify(got[line])}; ${outcome(execution)}`,
  );
}

/** Code that writes itself is the one thing that a strategy may do without. */
const selfModifying = "self-modifying";

export const programConformanceCases: readonly ConformanceCase[] = programCases.map(
  (program): ConformanceCase => ({
    name: nameOf(program),
    requires: program.name === selfModifying ? ["programs", "selfModifyingCode"] : "programs",
    run(subject) {
      const limit = program.statuses.length === 0 ? { limitUnits: endlessUnits } : {};
      check(program, execute(subject, guestOf(program), limit));
    },
  }),
);

function nameOf({ name, category, args, statuses }: ProgramCase): string {
  const call = category === "hostile" ? [name, ...args].join(" ") : name;
  if (category === "hostile") {
    return statuses.length === 0
      ? `outlives the hostile program ${call}, which never ends`
      : `outlives the hostile program ${call}, which ends as it does on Linux`;
  }
  if (category === "test") return `runs the program ${call} as Linux does`;
  return `runs the benchmark ${call}, and its checksum is that of a Linux host`;
}
