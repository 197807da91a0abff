/**
 * What a hypervisor's handlers do, counted as they do it.
 *
 * Handlers are TypeScript and retire no instruction, so their work shows in these counts only; cost profiles price
 * them by the same names under `monitor`. Handlers reach guest memory, tables and control structures only through
 * objects that count, so that no work is left out.
 */

/** Kinds of work that cost profiles price one by one. */
export const monitorOperations = [
  /** The guest was left for the monitor by a trap or a VM exit: its registers saved, the handler found, and back. */
  "entries",
  /** Up to 8 bytes of guest memory, read or written. */
  "guestWords",
  /** The same, reached by the guest's own linear address under the guest's own page tables: no map is looked up. */
  "mappedWords",
  /** An entry of a page table that the hypervisor keeps or walks. */
  "tableReads",
  "tableWrites",
  /** 4 KiB copied, or cleared before a guest gets them. */
  "pagesCopied",
  "pagesCleared",
  /** CR3 loaded by the monitor. */
  "rootLoads",
  /** INVLPG by the monitor. */
  "tlbInvalidations",
  /** A field of the virtual-machine control structure. */
  "vmreads",
  "vmwrites",
  /** An entry of a page table that a paravirtual guest wants, judged. */
  "validations",
  /** What the monitor keeps about one frame, read or changed: owner, type, counts. */
  "frameChecks",
] as const;

export type MonitorOperation = (typeof monitorOperations)[number];

export class MonitorWork {
  readonly #counts = new Map<MonitorOperation, number>();
  readonly #emulated = new Map<string, number>();
  readonly #faults = new Map<string, number>();

  add(operation: MonitorOperation, count = 1): void {
    this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + count);
  }

  /** How often this was done since the machine was made. */
  count(operation: MonitorOperation): number {
    return this.#counts.get(operation) ?? 0;
  }

  /** One instruction was emulated. */
  addEmulated(mnemonic: string): void {
    this.#emulated.set(mnemonic, (this.#emulated.get(mnemonic) ?? 0) + 1);
  }

  /** A page fault was found to be the guest's own (`true`), the shadow's (`hidden`), on a traced page, or a device's. */
  addFault(kind: string): void {
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
  }

  /** By dotted name, such as `monitor.guestWords` and `monitor.emulated.mov`. */
  flat(): Readonly<Record<string, number>> {
    const flat: Record<string, number> = {};
    for (const [name, count] of this.#counts) flat[`monitor.${name}`] = count;
    for (const [mnemonic, count] of this.#emulated) flat[`monitor.emulated.${mnemonic}`] = count;
    for (const [kind, count] of this.#faults) flat[`faults.${kind}`] = count;
    return flat;
  }
}
