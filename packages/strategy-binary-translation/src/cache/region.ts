/**
 * The translator's own part of the address space, the same in every address space of the guest.
 *
 * ```
 *   base                  slots of the virtual CPU     writable, not executable
 *   base + 4 KiB          lookup table                 read-only, not executable
 *   base + 144 KiB        translation cache            read-only, executable
 *   base + 2 MiB - 64 KiB nothing: small negative addresses fault, as the guest expects
 * ```
 *
 * All of it is for the supervisor, that is for CPL 0 to 2: programs at CPL 3 cannot see it. Translated code runs at
 * CPL 1 and can write the slots only. The lookup table and the cache are written through their host frames.
 */
import type { HostMemory } from "@ringside/isa";
import { ReservedRange, reservedBytes } from "@ringside/hypervisor";
import { frameBytes } from "@ringside/machine";

/** Where the region lies unless the guest is there: the last 2 MiB, which Linux, too, leaves empty. */
export const defaultRegionBase = 0xffff_ffff_ffe0_0000n;

/** Entries of the lookup table, a power of two. */
export const lookupEntries = 8192;
/** Probes of one lookup; an entry may be that many places behind the one that its address names. */
export const lookupProbes = 3;
export const lookupEntryBytes = 16;

const slotFrames = 1;
const lookupFrames = Math.ceil(((lookupEntries + lookupProbes) * lookupEntryBytes) / frameBytes);
const guardBytes = 0x1_0000;
const codeOffset = (slotFrames + lookupFrames) * frameBytes;
const codeBytesMaximum = reservedBytes - guardBytes - codeOffset;
/** Tables of levels 3, 2 and 1. */
const tableFrames = 3;

const present = 0x61n; // present, accessed, dirty
const writable = 2n;
const noExecute = 1n << 63n;

/** Frames of the host that a region takes. */
export const regionFrames: number = tableFrames + (reservedBytes - guardBytes) / frameBytes;

export class Region {
  readonly range: ReservedRange;
  /** Linear addresses. */
  readonly slots: bigint;
  readonly lookup: bigint;
  readonly code: bigint;
  readonly codeBytes: number;
  /** Host-physical addresses of the same. */
  readonly slotsFrame: number;
  readonly lookupFrame: number;
  readonly codeFrame: number;

  /**
   * @param first Host-physical address of {@link regionFrames} adjacent frames.
   * @param codeBytes Size of the translation cache; all there is room for unless told.
   */
  constructor(
    { physical }: HostMemory,
    first: number,
    base: bigint = defaultRegionBase,
    codeBytes: number = codeBytesMaximum,
  ) {
    if (!(codeBytes >= frameBytes && codeBytes <= codeBytesMaximum)) {
      throw new RangeError(
        `A translation cache of ${codeBytes} bytes does not fit. Ask for ${frameBytes} to ${codeBytesMaximum}.`,
      );
    }
    const [level3, level2, level1] = [first, first + frameBytes, first + 2 * frameBytes];
    this.range = new ReservedRange(physical, base, { level3, level2, level1 });
    this.slots = base;
    this.lookup = base + BigInt(slotFrames * frameBytes);
    this.code = base + BigInt(codeOffset);
    this.codeBytes = codeBytes;
    this.slotsFrame = first + tableFrames * frameBytes;
    this.lookupFrame = this.slotsFrame + slotFrames * frameBytes;
    this.codeFrame = this.slotsFrame + codeOffset;

    physical.fill(level1, 0, frameBytes);
    physical.fill(this.slotsFrame, 0, regionFrames * frameBytes - tableFrames * frameBytes);
    for (let offset = 0; offset < reservedBytes - guardBytes; offset += frameBytes) {
      const rights = offset < codeOffset ? noExecute | (offset === 0 ? writable : 0n) : 0n;
      const entry = BigInt(this.slotsFrame + offset) | present | rights;
      physical.writeU64(level1 + (offset / frameBytes) * 8, entry);
    }
  }

  /** Offset in the cache of a linear address, or undefined outside. */
  codeOffset(linear: bigint): number | undefined {
    const offset = linear - this.code;
    return offset >= 0n && offset < BigInt(this.codeBytes) ? Number(offset) : undefined;
  }
}
