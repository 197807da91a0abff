/**
 * The interrupts of the host's own processor, which belong to the hypervisor: its timer, and its own requests to get
 * control while a guest runs.
 *
 * A guest never sees these. What it sees is injected by the hypervisor, after an interrupt of this kind has
 * given it control.
 */
import type { InterruptSource } from "@ringside/isa";

/** The vector with which the host's controller reports its timer. */
export const timerVector = 0xec;
/** The vector of a hypervisor's request to itself. */
export const kickVector = 0xf2;

export class PhysicalInterrupts implements InterruptSource {
  /** Level of the processor's INTR input; set once the processor exists. */
  onRequest: ((asserted: boolean) => void) | undefined;
  #deadline = Infinity;
  #timerDue = false;
  #kicked = false;

  /** Host time at which the timer fires, or Infinity. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Programs the one-shot timer; what it has not reported yet is forgotten. */
  arm(deadline: number): void {
    this.#deadline = deadline;
    this.#timerDue = false;
    this.#update();
  }

  /** Host time has come to `now`. */
  advance(now: number): void {
    if (now < this.#deadline) return;
    this.#deadline = Infinity;
    this.#timerDue = true;
    this.#update();
  }

  /** Gives the hypervisor control at the next boundary of the guest's instructions. */
  kick(): void {
    this.#kicked = true;
    this.#update();
  }

  acknowledge(): number {
    if (this.#kicked) {
      this.#kicked = false;
      this.#update();
      return kickVector;
    }
    this.#timerDue = false;
    this.#update();
    return timerVector;
  }

  /** The host has no task priority: nothing of it is masked. */
  readTaskPriority(): number {
    return 0;
  }

  writeTaskPriority(_priority: number): void {
    // Guests' CR8 accesses are intercepted, and the hypervisor raises none itself.
  }

  reset(): void {
    this.#deadline = Infinity;
    this.#timerDue = false;
    this.#kicked = false;
    this.#update();
  }

  #update(): void {
    this.onRequest?.(this.#timerDue || this.#kicked);
  }
}
