/**
 * Runs a machine in slices on the event loop, so that keys, signals and timeouts are noticed in between.
 *
 * With somebody at the terminal, a guest that sleeps is not let ahead of the wall clock: it would else see hours pass
 * between two keys. Without, its sleeping costs no time at all.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { isFinal, type Exit, type VirtualMachine } from "@ringside/strategy";

/** Short enough for a key to be answered at once, long enough to cost nothing between. */
const sliceUnits = 2_000_000;
const minimumSliceUnits = 1000;
/** How far a slice may take a guest that sleeps, when it is kept in step with the wall clock. */
const stepNs = 20_000_000;
const nsPerMs = 1_000_000;

export interface LoopOptions {
  /** Keeps the guest's clock from running ahead of the wall clock. */
  readonly realTime: boolean;
}

export class MachineLoop {
  readonly #machine: VirtualMachine;
  readonly #realTime: boolean;
  #wake: (() => void) | undefined;
  #ended = false;
  #pauseRequested = false;
  /** Resolves when {@link end} is called. */
  readonly ended: Promise<void>;
  #onEnd: () => void = () => undefined;

  constructor(machine: VirtualMachine, { realTime }: LoopOptions) {
    this.#machine = machine;
    this.ended = new Promise((resolve) => {
      this.#onEnd = resolve;
    });
    this.#realTime = realTime && machine.timeNs !== undefined;
  }

  /** Something happened that a sleeping machine must see: input, or a request to end. */
  wake(): void {
    this.#wake?.();
  }

  /** Ends {@link run} with `stopped` after the present slice. */
  end(): void {
    this.#ended = true;
    this.#machine.stop();
    this.#onEnd();
    this.wake();
  }

  /** Makes {@link run}, or the next one, come back with `paused` after the present slice. */
  pause(): void {
    this.#pauseRequested = true;
    this.wake();
  }

  /** Until the machine comes to an end by itself, is paused, or {@link end} is called. */
  async run(): Promise<Exit> {
    let start = performance.now();
    const startNs = this.#machine.timeNs ?? 0;
    let units = sliceUnits;
    for (;;) {
      if (this.#ended) return { reason: "stopped" };
      if (this.#pauseRequested) {
        this.#pauseRequested = false;
        return { reason: "paused" };
      }
      const beforeNs = this.#machine.timeNs ?? 0;
      const exit = this.#machine.run(units);
      if (isFinal(exit) || exit.reason === "paused") return exit;
      if (exit.reason === "waiting") {
        await this.#sleep(undefined);
        continue;
      }
      await nextTurn();
      if (!this.#realTime) continue;
      const nowNs = this.#machine.timeNs ?? 0;
      units = sliceFor(units, nowNs - beforeNs);
      const aheadMs = (nowNs - startNs) / nsPerMs - (performance.now() - start);
      if (aheadMs <= 1) continue;
      const isWoken = await this.#sleep(aheadMs);
      // A guest that slept far ahead is not to answer as late as that: its clock stays ahead by what is left.
      if (isWoken) start = performance.now() - (nowNs - startNs) / nsPerMs;
    }
  }

  /** Whether {@link wake} ended the sleep, and not the time. */
  async #sleep(ms: number | undefined): Promise<boolean> {
    if (this.#ended || this.#pauseRequested) return true;
    const isWoken = await new Promise<boolean>((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => resolve(false), ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    this.#wake = undefined;
    return isWoken;
  }
}

/** The next slice, from how far the guest's clock went in the last one. */
function sliceFor(units: number, passedNs: number): number {
  const wanted = passedNs > stepNs ? (units * stepNs) / passedNs : units * 2;
  return Math.round(Math.min(Math.max(wanted, minimumSliceUnits), sliceUnits));
}
