/**
 * How long the virtual processor has run and slept, in memory where the guest wants it.
 *
 * Xen, xen/include/public/vcpu.h, vcpu_runstate_info: state, time of entry, nanoseconds in each of four states.
 */
import type { GuestAccess, Linear } from "../memory/guest-access.ts";

const RUNNING = 0;
const BLOCKED = 2;
const recordBytes = 48;

export class RunStates {
  readonly #access: GuestAccess;
  readonly #now: () => number;
  #area: Linear | undefined;
  #state = RUNNING;
  #since = 0;
  readonly #times: number[] = [0, 0, 0, 0];

  constructor(access: GuestAccess, now: () => number) {
    this.#access = access;
    this.#now = now;
  }

  reset(): void {
    this.#area = undefined;
    this.#state = RUNNING;
    this.#since = 0;
    this.#times.fill(0);
  }

  /** Writes the record there from now on. False when it cannot be written. */
  register(area: Linear): boolean {
    if (!this.#access.write(area, this.record())) return false;
    this.#area = area;
    return true;
  }

  enter(state: "running" | "blocked"): void {
    const now = this.#now();
    this.#times[this.#state] = (this.#times[this.#state] ?? 0) + now - this.#since;
    this.#state = state === "running" ? RUNNING : BLOCKED;
    this.#since = now;
    // The guest may have unmapped it since; then it goes without.
    if (this.#area !== undefined) this.#access.write(this.#area, this.record());
  }

  /** 48 bytes, as the guest gets them. */
  record(): Uint8Array {
    const bytes = new Uint8Array(recordBytes);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, this.#state, true);
    view.setBigUint64(8, BigInt(this.#since), true);
    for (const [index, time] of this.#times.entries()) {
      const running = index === this.#state ? this.#now() - this.#since : 0;
      view.setBigUint64(16 + index * 8, BigInt(time + running), true);
    }
    return bytes;
  }
}
