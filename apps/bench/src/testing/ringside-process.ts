/** The command as a user meets it, for tests: a process with arguments, streams and an exit status. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const source = new URL("../main.ts", import.meta.url).pathname;
const built = new URL("../../dist/main.js", import.meta.url).pathname;
/** Older Node runs JavaScript alone: what `pnpm build` made of the source. */
const runsSource =
  process.features.typescript !== false && process.features.typescript !== undefined;
export const cannotRun: boolean = !runsSource && !existsSync(built);
/** The program and its first arguments; those of the command follow. */
export const ringsideCommand: readonly [string, ...string[]] = [
  process.execPath,
  ...(runsSource ? ["--conditions=@ringside/source", source] : [built]),
];

export interface How {
  readonly input?: string | Uint8Array;
  /** Presses Ctrl-C once the command has written this. */
  readonly interruptOn?: string;
  /** Called with all that it has complained of so far. */
  readonly onStderr?: (text: string) => void;
  /** Closes the reading end of its output once it has written something. */
  readonly hangUp?: boolean;
  /** File descriptors in the place of pipes. */
  readonly stdin?: number;
  readonly stdout?: number;
}

/** Runs the command in a folder. Output bytes are characters of the same number. */
export function ringsideIn(folder: string, args: readonly string[], how: How = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const [program, ...first] = ringsideCommand;
    const child = spawn(program, [...first, ...args], {
      stdio: [how.stdin ?? "pipe", how.stdout ?? "pipe", "pipe"],
      cwd: folder,
    });
    const stdout: Buffer[] = [];
    let stderr = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      stdout.push(chunk);
      if (how.interruptOn !== undefined && chunk.includes(how.interruptOn)) child.kill("SIGINT");
      if (how.hangUp === true) child.stdout?.destroy();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      how.onStderr?.(stderr);
    });
    child.stdin?.on("error", () => undefined); // The program may end before it has read everything.
    child.stdin?.end(how.input ?? "");
    child.on("error", reject);
    child.on("close", (status) => {
      resolve({ status, stdout: Buffer.concat(stdout).toString("latin1"), stderr });
    });
  });
}
