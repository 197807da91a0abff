/**
 * Pid namespaces: numbers of processes and threads, as those inside see them.
 *
 * Numbers ascend and wrap at {@link PID_MAXIMUM}, skipping those in use, as Linux hands them out.
 */
import type { Process } from "../kernel/process.ts";
import type { Thread } from "../kernel/thread.ts";

/** Numbers stay below this (kernel.pid_max). */
export const PID_MAXIMUM = 32_768;
/** After wrapping, numbers start here: low ones are for system processes. */
const FIRST_AFTER_WRAP = 300;

export class PidNamespace {
  /** By process number. Zombies included. */
  readonly processes: Map<number, Process> = new Map();
  /** By thread number; a process's first thread has the process's number. */
  readonly threads: Map<number, Thread> = new Map();
  #next = 1;
  #wrapped = false;

  /** A number that is neither a process's nor a thread's, group's or session's, or 0 when all are taken. */
  allot(): number {
    for (let tries = 0; tries < PID_MAXIMUM; tries++) {
      const number = this.#next++;
      if (this.#next >= PID_MAXIMUM) {
        this.#next = FIRST_AFTER_WRAP;
        this.#wrapped = true;
      }
      if (!this.#inUse(number)) return number;
    }
    return 0;
  }

  #inUse(number: number): boolean {
    if (this.threads.has(number) || this.processes.has(number)) return true;
    // Group and session numbers outlive their leader; before the first wrap no number was ever used.
    if (this.#wrapped) {
      for (const process of this.processes.values()) {
        if (process.processGroup === number || process.session === number) return true;
      }
    }
    return false;
  }

  /** Processes in a group, in the order in which they were made. */
  *groupMembers(group: number): Generator<Process> {
    for (const process of this.processes.values()) {
      if (process.processGroup === group) yield process;
    }
  }
}
