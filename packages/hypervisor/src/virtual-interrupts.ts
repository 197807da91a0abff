/**
 * Interrupts for a guest: what its virtual controller requests, and when the guest can take it.
 */
import type { InterruptController, ProcessorPins } from "@ringside/machine";

/** Whether the guest can take events at its present instruction boundary. */
export interface Interruptibility {
  /** RFLAGS.IF. */
  readonly interruptsEnabled: boolean;
  /** After STI or MOV SS. */
  readonly shadowed: boolean;
  /** Between an NMI and IRET. */
  readonly nmiBlocked: boolean;
}

/** What to do before the guest goes on. */
export type NextEvent =
  | { readonly kind: "none" }
  | { readonly kind: "interrupt"; readonly vector: number }
  | { readonly kind: "nmi" }
  /** Something waits, and the guest cannot take it yet: ask for control when it can. */
  | { readonly kind: "window"; readonly for: "interrupt" | "nmi" };

export class VirtualInterrupts implements ProcessorPins {
  readonly #controller: InterruptController;
  /** Called when something may have to be delivered. */
  readonly #onRequest: () => void;
  #requested = false;
  #nmi = false;

  /** Takes the place of a processor behind `controller`. */
  constructor(controller: InterruptController, onRequest: () => void) {
    this.#controller = controller;
    this.#onRequest = onRequest;
    controller.pins = this;
  }

  /** True when an interrupt or NMI waits, whether or not the guest can take it. */
  get isPending(): boolean {
    return this.#requested || this.#nmi;
  }

  /** True when an NMI waits, which wakes a halted guest whatever its RFLAGS.IF. */
  get isNmiPending(): boolean {
    return this.#nmi;
  }

  setInterruptRequest(asserted: boolean): void {
    this.#requested = asserted;
    if (asserted) this.#onRequest();
  }

  requestNmi(): void {
    this.#nmi = true;
    this.#onRequest();
  }

  /** Takes what is to be delivered now; an interrupt is acknowledged at the virtual controller. NMIs come first. */
  take({ interruptsEnabled, shadowed, nmiBlocked }: Interruptibility): NextEvent {
    if (this.#nmi) {
      if (nmiBlocked || shadowed) return { kind: "window", for: "nmi" };
      this.#nmi = false;
      return { kind: "nmi" };
    }
    if (!this.#requested) return { kind: "none" };
    if (!interruptsEnabled || shadowed) return { kind: "window", for: "interrupt" };
    return { kind: "interrupt", vector: this.#controller.acknowledge() };
  }

  reset(): void {
    this.#nmi = false;
    this.#requested = this.#controller.isPending;
  }
}
