/** What the monitor counts beside the processor. All of it are facts of the run. */

/** What the cache counts itself. */
export interface CacheCounts {
  /** Lookups by code in the cache. */
  readonly lookups: number;
  /** Callouts that became jumps. */
  readonly chains: number;
  /** Units dropped because they no longer say what the guest's code says, or to be translated otherwise. */
  readonly dropped: number;
  /** Times that all units were dropped for want of room. */
  readonly evictions: number;
}

export class TranslationCounts {
  /** Units made, and instructions of the guest in them. */
  units = 0;
  instructions = 0;
  /** Instructions by how they were translated. */
  readonly treatments: Map<string, number> = new Map();
  /** Lookups of code in the cache that found nothing. */
  lookupMisses = 0;
  /** Times that the cache was left, by why. */
  readonly callouts: Map<string, number> = new Map();
  /** Page faults by what they were: `true`, `hidden`, `traced`, `device`. */
  readonly faults: Map<string, number> = new Map();
  /** Units that were dropped to be translated otherwise: an access of theirs kept trapping, or no longer does. */
  retranslations = 0;
  /** Times that the guest took the region's place. */
  relocations = 0;
  /** Times that a trap brought the monitor: all but callouts. It resumes the guest after each, by IRET. */
  traps = 0;
  /** Times that a callout was followed by a program: the one way out of a callout that takes an IRET. */
  programsAfterCallouts = 0;
  /** Events delivered to the guest through its own tables. */
  deliveries = 0;

  /** By dotted name. */
  flat(cache: CacheCounts): Readonly<Record<string, number>> {
    const flat: Record<string, number> = {
      "translation.units": this.units,
      "translation.instructions": this.instructions,
      "translation.chains": cache.chains,
      "translation.lookups": cache.lookups,
      "translation.lookupMisses": this.lookupMisses,
      "translation.dropped": cache.dropped,
      "translation.retranslations": this.retranslations,
      "translation.evictions": cache.evictions,
      "translation.relocations": this.relocations,
      "monitor.entries": this.traps,
      "returns.iret": this.traps + this.programsAfterCallouts,
      deliveries: this.deliveries,
    };
    for (const [name, count] of this.treatments) flat[`translation.treatments.${name}`] = count;
    for (const [name, count] of this.callouts) flat[`callouts.${name}`] = count;
    for (const [name, count] of this.faults) flat[`faults.${name}`] = count;
    return flat;
  }
}

export function addTo(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
