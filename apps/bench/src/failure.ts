/**
 * How the command fails: one line for a person, and an exit status as a shell has them.
 */
import { CommanderError } from "commander";

/** Exit statuses of the command's own: the guest program's are everything else. */
export const STATUS = {
  /** `lockstep`: the two processors differ. */
  different: 1,
  /** `boot`: the guest ended and had not written the text that was waited for. */
  notSeen: 1,
  /** `boot`: the time is over, as timeout(1) has it. */
  timeout: 124,
  /** The command itself failed. */
  failure: 125,
  /** The program cannot be executed. */
  notExecutable: 126,
  /** There is no such program. */
  notFound: 127,
  /** Ctrl-C: 128 and SIGINT's number. */
  interrupted: 130,
  /** A signal ended the command; its number comes on top, as in a shell. */
  signalled: 128,
  /** `boot`: the guest broke its machine; 128 and SIGABRT's number. */
  aborted: 134,
  /** 128 and SIGPIPE's number. */
  brokenPipe: 141,
} as const;

/** An error whose message is for the user of the command, with the exit status that goes with it. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly status: number;

  constructor(message: string, status: number = STATUS.failure, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** Prints what went wrong and gives the exit status. A stack trace is printed only for bugs. */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : STATUS.failure;
  if (error instanceof CommandError) {
    process.stderr.write(`ringside: ${error.message}\n`);
    return error.status;
  }
  if (isStrategyError(error)) {
    process.stderr.write(`ringside: ${withoutPrefix(error.message)}\n`);
    return STATUS.failure;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`ringside: a bug in ringside, please report it: ${text}\n`);
  return STATUS.failure;
}

/** The exit status when an output cannot be written: 141, as SIGPIPE gives it, when nobody reads it any more. */
export function brokenOutput(error: Error): number {
  const code = "code" in error ? String(error.code) : error.message;
  if (code === "EPIPE") return STATUS.brokenPipe;
  return reportFailure(new CommandError(`The output cannot be written (${code}).`));
}

/** A file that was named and cannot be read. */
export function unreadable(path: string, cause: unknown): CommandError {
  return new CommandError(`${path} cannot be read (${errorCode(cause)}).`, undefined, { cause });
}

/** What the system calls an error: `ENOENT`; its text where it has no such name. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** By name: a plugin may have brought its own copy of the contract, and loading it only to compare would cost time. */
export function isStrategyError(error: unknown): error is Error {
  return error instanceof Error && error.name === "StrategyError";
}

/** Library errors begin with `[ringside/who] `, which says nothing to the user of the command. */
function withoutPrefix(message: string): string {
  return message.replace(/^\[ringside\/[^\]]*\] /u, "");
}
