/**
 * When a hypercall that does many things has done enough for now.
 *
 * Xen breaks such hypercalls off when something else waits for the processor (xen/include/xen/sched.h,
 * hypercall_preempt_check). Here nothing waits that could be asked, and runs repeat exactly: the work counts, because
 * one request may be a bit in an entry or a tree of tables.
 */
import type { MonitorOperation, MonitorWork } from "@ringside/hypervisor";

/** Work of one entry into the hypervisor: some milliseconds of the host's. */
const workAtOnce = 100_000;
/** What a request costs beside what is counted, as the TLB that it empties. */
const workOfRequest = 50;
/** In words of 8 bytes, entries and frames, which take about the same time each. */
const weights: readonly (readonly [operation: MonitorOperation, weight: number])[] = [
  ["validations", 1],
  ["tableReads", 1],
  ["frameChecks", 1],
  ["mappedWords", 1],
  ["pagesCleared", 512],
  ["pagesCopied", 512],
];

export class WorkLimit {
  readonly #work: MonitorWork;
  #end = 0;
  #requests = 0;

  constructor(work: MonitorWork) {
    this.#work = work;
  }

  /** A hypercall begins, or goes on. */
  enter(): void {
    this.#requests = 0;
    this.#end = this.#done() + workAtOnce;
  }

  /** One more request is done: whether the hypercall must break off. It has got on then, by that request. */
  countRequest(): boolean {
    this.#requests += 1;
    return this.#done() + this.#requests * workOfRequest >= this.#end;
  }

  #done(): number {
    let sum = 0;
    for (const [operation, weight] of weights) sum += weight * this.#work.count(operation);
    return sum;
  }
}
