/** The suite judged: strategies that break one rule each, made from bare, must fail the case that states it. */
import { conformanceCases, runConformance } from "@ringside/conformance";
import type { Exit, Strategy, VirtualMachine } from "@ringside/strategy";
import { expect, test } from "vitest";
import { bare } from "./index.ts";

/** Bare, with machines changed by `change`. */
function brokenBy(change: (machine: VirtualMachine) => Partial<VirtualMachine>): Strategy {
  return {
    ...bare,
    create: (host, guest, options) => {
      const machine = bare.create(host, guest, options);
      const changed = change(machine);
      return new Proxy(machine, {
        get: (_, key) => {
          const value: unknown = Reflect.get(key in changed ? changed : machine, key);
          return typeof value === "function"
            ? value.bind(key in changed ? changed : machine)
            : value;
        },
      });
    },
  };
}

const liesAbout = (reason: Exit["reason"], exit: Exit): Strategy =>
  brokenBy((machine) => ({
    run: (limit) => {
      const real = machine.run(limit);
      return real.reason === reason ? exit : real;
    },
  }));

const rules: readonly (readonly [what: string, broken: Strategy, caseName: string])[] = [
  [
    "runs one unit too far",
    brokenBy((machine) => ({ run: (limit) => machine.run(limit + 1) })),
    "honours a limit at exactly that unit",
  ],
  [
    "keeps the host when a machine is disposed",
    brokenBy(() => ({ [Symbol.dispose]: () => {} })),
    "refuses everything after disposal, and disposal gives the host back",
  ],
  [
    "says halted where the guest waits",
    liesAbout("waiting", { reason: "halted", value: undefined }),
    "waits for input that has not come, and goes on with it",
  ],
  [
    "reports status 0 whatever the program's was",
    liesAbout("exited", { reason: "exited", status: { kind: "code", code: 0 } }),
    "reports the exit status 42",
  ],
  [
    "calls a triple fault a halt",
    liesAbout("crashed", { reason: "halted", value: undefined }),
    "crashes a kernel with a triple fault, and shows its registers",
  ],
  [
    "mixes standard error into standard output",
    {
      ...bare,
      create: (host, guest, options = {}) => {
        const stdout = options.output?.stdout;
        const output = { ...options.output, ...(stdout === undefined ? {} : { stderr: stdout }) };
        return bare.create(host, guest, { ...options, output });
      },
    },
    "keeps standard output and standard error apart",
  ],
  [
    "claims to run no kernels, and runs them",
    { ...bare, capabilities: { ...bare.capabilities, kernels: false } },
    "refuses kernels, with a sentence, when it says that it runs none",
  ],
  [
    "gives the refusal of programs but runs them",
    {
      ...bare,
      capabilities: { ...bare.capabilities, programs: false },
      accepts: () => ({ accepted: false, reason: "It says that it does not run this." }),
    },
    "refuses programs, with a sentence, when it says that it runs none",
  ],
];

test.each(rules)("a strategy that %s fails", async (_, broken, caseName) => {
  const cases = conformanceCases.filter(({ name }) => name === caseName);
  expect(cases).toHaveLength(1);
  for await (const { outcome } of runConformance(broken, cases)) expect(outcome).toBe("failed");
  for await (const { outcome } of runConformance(bare, cases)) expect(outcome).not.toBe("failed");
});

test("names of cases are unique", () => {
  const names = conformanceCases.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
