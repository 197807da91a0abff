/** Runs a guest to its end and gathers what came out. */
import {
  isFinal,
  type CreateOptions,
  type Exit,
  type Guest,
  type VirtualMachine,
} from "@ringside/strategy";
import type { Subject } from "./conformance-case.ts";

export interface Execution {
  readonly exit: Exit;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly log: Uint8Array;
  readonly units: number;
}

/** Gathers output; pass {@link listeners} to `create`. */
export class Capture {
  readonly #chunks: Record<"stdout" | "stderr" | "log", Uint8Array[]> = {
    stdout: [],
    stderr: [],
    log: [],
  };
  readonly listeners: Required<NonNullable<CreateOptions["output"]>> = {
    stdout: (bytes) => void this.#chunks.stdout.push(bytes),
    stderr: (bytes) => void this.#chunks.stderr.push(bytes),
    log: (bytes) => void this.#chunks.log.push(bytes),
  };

  bytes(stream: "stdout" | "stderr" | "log"): Uint8Array {
    const chunks = this.#chunks[stream];
    const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  text(stream: "stdout" | "stderr" | "log"): string {
    return new TextDecoder().decode(this.bytes(stream));
  }
}

/** Far beyond what any case needs: a guest that gets there hangs. */
const patienceUnits = 20_000_000_000;

export interface ExecuteOptions {
  readonly input?: Uint8Array;
  readonly limitUnits?: number;
  /** Units per `run`; all at once when absent. */
  readonly sliceUnits?: number;
}

/** Creates a machine, gives it all its input, runs it until it ends or the limit is spent, disposes it. */
export function execute(
  { strategy, host }: Subject,
  guest: Guest,
  options: ExecuteOptions = {},
): Execution {
  const capture = new Capture();
  using vm = strategy.create(host, guest, { output: capture.listeners });
  if (options.input !== undefined) vm.input.write(options.input);
  vm.input.end();
  const limit = options.limitUnits ?? patienceUnits;
  const exit = runToEnd(vm, limit, options.sliceUnits ?? limit);
  return {
    exit,
    stdout: capture.bytes("stdout"),
    stderr: capture.bytes("stderr"),
    log: capture.bytes("log"),
    units: vm.units,
  };
}

function runToEnd(vm: VirtualMachine, limitUnits: number, sliceUnits: number): Exit {
  for (;;) {
    const left = limitUnits - vm.units;
    if (left <= 0) return { reason: "limit" };
    const exit = vm.run(Math.min(left, sliceUnits));
    if (isFinal(exit) || exit.reason === "waiting") return exit;
  }
}

/** An execution as a person would want to see it in a message. */
export function outcome({ exit, stdout, stderr, log }: Execution): string {
  const text = (bytes: Uint8Array): string =>
    JSON.stringify(new TextDecoder().decode(bytes).slice(-300));
  const why = exit.reason === "crashed" ? ` (${exit.why})` : "";
  const status = exit.reason === "exited" ? ` ${JSON.stringify(exit.status)}` : "";
  return `${exit.reason}${status}${why}, stdout ${text(stdout)}, stderr ${text(stderr)}, log ${text(log)}`;
}
