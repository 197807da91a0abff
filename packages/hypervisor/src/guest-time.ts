/**
 * A guest's time and progress on the host's processor.
 *
 * Time goes on by the processor's units, and by what is skipped while the guest sleeps. The host's timer is set to the
 * first deadline of the guest's devices, and only its interrupt gives them their time.
 */
import type { Processor } from "@ringside/isa";
import type { Timeline } from "@ringside/machine";
import type { PhysicalInterrupts } from "./physical-interrupts.ts";

export class GuestTime {
  readonly #processor: Processor;
  readonly #interrupts: PhysicalInterrupts;
  readonly #timeline: Timeline;
  /** Progress that the processor does not count. */
  #visits = 0;
  /** Units of the processor at the last reset; it goes on counting. */
  #unitsAtReset = 0;
  #stopRequested = false;

  /** Connects the host's interrupts with its processor, and cuts its runs short for what `timeline` gets due earlier. */
  constructor(processor: Processor, interrupts: PhysicalInterrupts, timeline: Timeline) {
    this.#processor = processor;
    this.#interrupts = interrupts;
    this.#timeline = timeline;
    interrupts.onRequest = (asserted) => processor.setInterruptRequest(asserted);
    timeline.onEarlier = (deadline) => {
      processor.stopAt(Math.max(deadline - processor.idleUnits, processor.units));
    };
  }

  /** Guest time in nanoseconds; exact also inside callbacks. */
  get now(): number {
    return this.#processor.now;
  }

  /** Progress, which limits count: the processor's units, and the hypervisor's visits to a guest that did not run. */
  get units(): number {
    return this.#processor.units - this.#unitsAtReset + this.#visits;
  }

  /** Ends the present run after the present instruction; {@link takeStop} then says so once. */
  requestStop(): void {
    this.#stopRequested = true;
    this.#processor.requestStop();
  }

  takeStop(): boolean {
    const requested = this.#stopRequested;
    this.#stopRequested = false;
    return requested;
  }

  /**
   * Sets the host's timer to the guest's first deadline; what is due interrupts at once.
   *
   * @param leftUnits At least 1.
   * @returns Units that the processor may run: `leftUnits`, or fewer until the timer.
   */
  armTimer(leftUnits: number): number {
    this.#interrupts.arm(this.#timeline.nextDeadline);
    this.#interrupts.advance(this.now);
    return Math.min(leftUnits, this.#interrupts.deadline - this.now);
  }

  /** The hypervisor has served the guest without running it: progress, so that it has an end. */
  visit(): void {
    this.#visits += 1;
  }

  /** The guest sleeps through `nanoseconds`, at least 0. */
  sleep(nanoseconds: number): void {
    this.#processor.idleUnits += nanoseconds;
    this.visit();
  }

  /** The processor after RESET, nothing scheduled, and time and units at 0; the processor's counts go on. */
  reset(): void {
    this.#stopRequested = false;
    this.#visits = 0;
    this.#timeline.clear();
    this.#processor.reset();
    this.#unitsAtReset = this.#processor.units;
    this.#processor.idleUnits = -this.#processor.units;
    this.#interrupts.reset();
  }
}
