#!/usr/bin/env node
/**
 * The `ringside` command.
 *
 * @packageDocumentation
 */
import { command } from "./command-line.ts";
import { brokenOutput, reportFailure } from "./failure.ts";

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => process.exit(brokenOutput(error)));
}
try {
  await command().parseAsync(process.argv);
} catch (error) {
  process.exitCode = reportFailure(error);
}
