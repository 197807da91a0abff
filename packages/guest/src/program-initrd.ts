/**
 * The initrd that makes the guest's init run one program.
 */
import { paths } from "./abi.ts";
import { userProgram } from "./images.ts";
import { initrd, type InitrdEntry } from "./initrd.ts";

export interface ProgramInitrdOptions {
  /** At least one string; the first is the path of the program in the guest. */
  readonly argv: readonly string[];
  /** Strings of the form `NAME=value`. */
  readonly env: readonly string[];
  /** Absolute path; `/` when absent. */
  readonly cwd?: string;
  /** What the program sees besides `/tmp`, `/dev` and `/proc`. `/init` and `/ringside` are taken. */
  readonly files: readonly InitrdEntry[];
  /** The program gets the console itself, as a terminal, instead of pipes that frames carry. */
  readonly raw?: boolean;
}

/**
 * Builds the archive: `/init`, what it is to do, and the program's files.
 *
 * @throws {RangeError} when `argv` is empty, when a string contains a NUL character, and as {@link initrd}.
 */
export function programInitrd(options: ProgramInitrdOptions): Uint8Array {
  const { argv, env, cwd, files, raw } = options;
  if (argv.length === 0) {
    throw new RangeError("[ringside/guest] argv is empty. Its first string is the program's path.");
  }
  const text = new TextEncoder();
  const entries: InitrdEntry[] = [
    { path: paths.init, mode: 0o755, data: userProgram("init") },
    { path: paths.argv, data: text.encode(terminated(argv)) },
    { path: paths.envp, data: text.encode(terminated(env)) },
    { path: "/tmp", mode: 0o1777, directory: true },
  ];
  if (cwd !== undefined) entries.push({ path: paths.cwd, data: text.encode(checked(cwd)) });
  if (raw === true) entries.push({ path: paths.raw, data: new Uint8Array() });
  const taken = new Set(["/tmp", "tmp"]);
  const ownTmp = files.some((file) => taken.has(file.path));
  return initrd([
    ...(ownTmp ? entries.filter((entry) => entry.path !== "/tmp") : entries),
    ...files,
  ]);
}

function checked(value: string): string {
  if (value.includes("\0")) {
    throw new RangeError(
      `[ringside/guest] A string for the guest contains NUL: ${JSON.stringify(value)}.`,
    );
  }
  return value;
}

function terminated(values: readonly string[]): string {
  return values.map((value) => `${checked(value)}\0`).join("");
}
