#!/usr/bin/env node
/**
 * The `ringside` command.
 *
 * @packageDocumentation
 */
import { command } from "./command-line.ts";
import { reportFailure } from "./failure.ts";

try {
  await command().parseAsync(process.argv);
} catch (error) {
  process.exitCode = reportFailure(error);
}
