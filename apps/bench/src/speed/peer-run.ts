/** One run of a peer as a process, and how long it took. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { frameReader } from "@ringside/guest";

const TIMEOUT_MS = 120_000;
/** How often a console file is looked at; small beside the seconds that are measured. */
const POLL_MS = 10;

/** What is started, and how its end is known. */
export interface PeerRun {
  readonly command: string;
  readonly args: readonly string[];
  /** Environment variables beside the command's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input, which stays open. */
  readonly input?: string;
  /**
   * The exit status of a run that went well; or the file with the guest's console, for a peer that goes on when its
   * guest has said by an exit frame that it is done. Such a peer is killed then.
   */
  readonly end: { readonly status: number } | { readonly console: string };
  /** Files that an earlier run may have left behind. */
  readonly stale?: readonly string[];
}

/**
 * Wall time in milliseconds, or why there is none.
 *
 * @param signal Aborting it ends the run.
 * @throws The signal's reason, when it is aborted.
 */
export async function timed(
  { command, args, env, input, end, stale = [] }: PeerRun,
  signal?: AbortSignal,
): Promise<number | string> {
  await Promise.all(stale.map((path) => rm(path, { force: true })));
  const start = performance.now();
  const child = spawn(command, args, {
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...process.env, ...env },
  });
  child.stdin.on("error", () => undefined); // It may end before it has read; its status tells.
  if (input !== undefined) child.stdin.write(input);
  const over = new AbortController();
  const stopped = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  const ended = once(child, "exit")
    .then(([status]: unknown[]) => endedWith(status, end, start))
    .catch((error: unknown) => startFailure(error));
  const contenders = [ended, timeout(stopped)];
  if ("console" in end) contenders.push(exitFrame(end.console, start, stopped));
  try {
    const outcome = await Promise.race(contenders);
    signal?.throwIfAborted();
    return outcome;
  } finally {
    over.abort();
    child.kill("SIGKILL"); // Bochs does not listen to politer signals while its guest runs.
    await ended;
  }
}

function endedWith(status: unknown, end: PeerRun["end"], start: number): number | string {
  if ("status" in end && status === end.status) return performance.now() - start;
  return `not measured: it ended with status ${String(status)}`;
}

function startFailure(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return "not installed";
  return `not measured: ${error instanceof Error ? error.message : String(error)}`;
}

async function timeout(signal: AbortSignal): Promise<string> {
  await sleepUntilAborted(TIMEOUT_MS, signal);
  return `not measured: it did not end within ${TIMEOUT_MS / 1000} s`;
}

/** Waits until the console file holds an exit frame with status 0. */
async function exitFrame(
  path: string,
  start: number,
  signal: AbortSignal,
): Promise<number | string> {
  while (!signal.aborted) {
    const waitStatus = waitStatusIn(await contentOf(path));
    if (waitStatus === 0) return performance.now() - start;
    if (waitStatus !== undefined)
      return `not measured: the program ended with wait status ${waitStatus}`;
    await sleepUntilAborted(POLL_MS, signal);
  }
  return "not measured: it was stopped";
}

function waitStatusIn(console: Uint8Array): number | undefined {
  let waitStatus: number | undefined;
  frameReader({
    frame(frame) {
      if (frame.type === "exit") waitStatus = frame.waitStatus;
    },
  }).push(console);
  return waitStatus;
}

async function contentOf(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return new Uint8Array(); // Not opened yet.
    throw error;
  }
}

async function sleepUntilAborted(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
