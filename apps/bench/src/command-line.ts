/** The command's arguments: what there is, with help and an example for each. */
import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { CommandError } from "./failure.ts";
import { addBench } from "./commands/bench.ts";
import { addBoot } from "./commands/boot.ts";
import { addClassify } from "./commands/classify.ts";
import { addCompare } from "./commands/compare.ts";
import { addDisasm } from "./commands/disasm.ts";
import { addGuest } from "./commands/guest.ts";
import { addLockstep } from "./commands/lockstep.ts";
import { addRun } from "./commands/run.ts";
import { addStrategies } from "./commands/strategies.ts";
import { addTrace } from "./commands/trace.ts";
import { addTranslate } from "./commands/translate.ts";
import { addTrapAndEmulate } from "./commands/trap-and-emulate.ts";

/** The whole command line. */
export function command(): Command {
  const program = new Command("ringside")
    .description(
      "Runs x86-64 guests under every way there is to virtualize a machine, and shows what each way costs.",
    )
    .version(packageJson.version)
    .enablePositionalOptions()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /u, "ringside: ")),
    })
    .exitOverride((error) => {
      throw error;
    })
    .showHelpAfterError("Try `ringside --help`, or `ringside COMMAND --help`.")
    .addHelpText("after", "\nExample:\n  $ ringside compare --benchmarks syscall,fork-wait");
  for (const add of [
    addCompare,
    addRun,
    addBoot,
    addStrategies,
    addClassify,
    addDisasm,
    addTranslate,
    addTrapAndEmulate,
    addBench,
    addGuest,
    addTrace,
    addLockstep,
  ])
    add(program);
  program.allowExcessArguments().action(() => {
    const [unknown] = program.args;
    if (unknown !== undefined) {
      const known = program.commands.map((sub) => sub.name()).join(", ");
      throw new CommandError(
        `There is no command "${unknown}". Known ones: ${known}; see \`ringside --help\`.`,
      );
    }
    program.outputHelp({ error: true });
    throw new CommanderError(1, "ringside.noCommand", "No command was given.");
  });
  return program;
}
