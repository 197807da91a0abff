/** What translated code is shown of the guest's devices, in slots of the virtual CPU. */
import type { MonitorOptions } from "./monitor-options.ts";

const postPort = 0x80;

export class ShownState {
  readonly #o: Pick<MonitorOptions, "interrupts" | "devices" | "slots">;
  #pendingShown = 0;
  #waitingShown = 0;

  constructor(options: Pick<MonitorOptions, "interrupts" | "devices" | "slots">) {
    this.#o = options;
    this.showPostPort();
  }

  /** What IN from port 0x80 finds. */
  showPostPort(): void {
    // Port 0x80 holds what was written to it last: reading it does nothing else.
    this.#o.slots.setNumber("postPort", this.#o.devices.readPort(postPort, 1));
  }

  /** What STI, POPF and MOV to CR8 in the cache look at. */
  showInterrupts(): void {
    const { interrupts, devices, slots: virtual } = this.#o;
    const pending = interrupts.isPending ? 1 : 0;
    if (pending !== this.#pendingShown) {
      this.#pendingShown = pending;
      virtual.setNumber("pending", pending);
    }
    const { apic } = devices.board.interrupts;
    const priority = apic.readTaskPriority();
    if (virtual.getNumber("taskPriority") !== priority) {
      virtual.setNumber("taskPriority", priority);
    }
    const waiting = apic.waitingClass <= priority ? apic.waitingClass : 0;
    if (waiting !== this.#waitingShown) {
      this.#waitingShown = waiting;
      virtual.setNumber("waitingClass", waiting);
    }
  }

  /** Takes the task priority that translated code has written. */
  readTaskPriority(): void {
    const { interrupts } = this.#o.devices.board;
    const priority = this.#o.slots.getNumber("taskPriority") & 0xf;
    if (priority !== interrupts.readTaskPriority()) interrupts.writeTaskPriority(priority);
  }
}
