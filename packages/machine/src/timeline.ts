/**
 * Machine time and what is due in it.
 *
 * Time counts nanoseconds since the machine was switched on. What is due is data, never a closure, so that a
 * snapshot can hold it: the machine finds the device by its name and hands it the event.
 */

/** Something that a device wants to be told at a time. */
export interface ScheduledEvent {
  /** Name of the device, unique in its machine. */
  readonly device: string;
  /** What is due, in the device's own words; at most one of a name per device. */
  readonly event: string;
  /** Machine time in nanoseconds. */
  readonly deadline: number;
}

/** What reads machine time. */
export interface Clock {
  /** Nanoseconds since the machine was switched on. */
  readonly now: number;
}

export class Timeline {
  readonly #clock: Clock;
  /** By deadline; equal deadlines in the order in which they were scheduled. */
  #events: ScheduledEvent[] = [];
  /** Called when the next deadline moves closer, so that a running processor can be cut short. */
  onEarlier: ((deadline: number) => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get now(): number {
    return this.#clock.now;
  }

  /** Deadline of the first event, or Infinity. */
  get nextDeadline(): number {
    return this.#events[0]?.deadline ?? Infinity;
  }

  /** What is scheduled, earliest first. */
  get events(): readonly ScheduledEvent[] {
    return this.#events;
  }

  /** Replaces an event of the same name of the same device. A deadline in the past is due at once. */
  schedule(device: string, event: string, deadline: number): void {
    this.cancel(device, event);
    const before = this.nextDeadline;
    const at = this.#events.findIndex((other) => other.deadline > deadline);
    this.#events.splice(at < 0 ? this.#events.length : at, 0, { device, event, deadline });
    if (deadline < before) this.onEarlier?.(deadline);
  }

  cancel(device: string, event: string): void {
    const at = this.#events.findIndex((other) => other.device === device && other.event === event);
    if (at >= 0) this.#events.splice(at, 1);
  }

  /** Removes and gives the first event that is due, or undefined. */
  takeDue(): ScheduledEvent | undefined {
    return this.nextDeadline <= this.now ? this.#events.shift() : undefined;
  }

  clear(): void {
    this.#events = [];
  }
}
