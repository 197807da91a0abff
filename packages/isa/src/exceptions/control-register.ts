/**
 * Writing CR0, CR3 and CR4: the checks, the mode that follows, and the TLB.
 *
 * Intel SDM Vol. 2B, "MOV—Move to/from Control Registers"; Vol. 3A §2.5, "Control Registers"; §4.1, "Paging Modes and
 * Control Bits"; §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches"; §10.8.5, "Initializing IA-32e
 * Mode".
 */
import { CR0, CR0_DEFINED, CR4, EFER } from "../profile/registers.ts";
import { loadPointers } from "../paging/page-directory-pointers.ts";
import { ATTRIBUTES } from "../segmentation/attributes.ts";
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { hasBits, isLongMode, updateMode } from "./mode.ts";

/** Flags of CR0 and CR4 that the TLB's tags depend on, or that change how tables are read. */
const CR0_TRANSLATION = CR0.PG | CR0.PE | CR0.WP;
const CR4_TRANSLATION = CR4.PGE | CR4.PSE | CR4.PAE | CR4.SMEP | CR4.SMAP | CR4.PCIDE;
/** Flags whose change loads the PDPTE registers. Intel SDM Vol. 3A §4.4.1, "PDPTE Registers". */
const CR0_POINTERS = CR0.CD | CR0.NW | CR0.PG;
const CR4_POINTERS = CR4.PAE | CR4.PGE | CR4.PSE | CR4.SMEP;
/** Bits 11:0 of CR3. */
const PCID = 0xfffn;
/** Bit 63 of a value written to CR3. */
const KEEP_TRANSLATIONS = 0x8000_0000_0000_0000n;
/** Bits 63:32 of CR0 are reserved. */
const CR0_HIGH = 0xffff_ffff_0000_0000n;

const TR = 7;
/** Type of the descriptor that TR has loaded: a task of the 80286, which IA-32e mode does not have. */
const BUSY_TSS_16 = 3;

/** Writes CR0. Parameter: the new value. Raises #GP(0). */
export const writeCr0: Routine = {
  name: "writeCr0",
  parameters: ["i64"],
  result: undefined,
  raises: true,
  body(m, ...[value]) {
    if (value === undefined) throw new RangeError("writeCr0 takes a value.");
    const raiseWhen = (condition: Value): void => m.raiseWhen(condition, "GP", m.constant(0));
    const old = m.state(slots.cr0);
    const cr4 = m.state(slots.cr4);
    const lacks = (bits: bigint): Value => m.isZero(m.and(value, m.constant(bits)));
    raiseWhen(hasBits(m, value, CR0_HIGH));
    raiseWhen(m.both(hasBits(m, value, CR0.PG), lacks(CR0.PE)));
    raiseWhen(m.both(hasBits(m, value, CR0.NW), lacks(CR0.CD)));
    raiseWhen(m.both(hasBits(m, cr4, CR4.PCIDE), lacks(CR0.PG)));
    const is64BitCode = m.equal(m.state(slots.mode), m.constant(64));
    raiseWhen(m.both(is64BitCode, lacks(CR0.PG)));

    const isPagingOn = hasBits(m, value, CR0.PG);
    const turnsOn = m.both(isPagingOn, m.isZero(m.and(old, m.constant(CR0.PG))));
    const entersLongMode = m.both(turnsOn, hasBits(m, m.state(slots.efer), EFER.LME));
    const isLongCode = hasBits(m, m.state(segmentSlots(1).attributes), ATTRIBUTES.LONG);
    const lacksPae = m.isZero(m.and(cr4, m.constant(CR4.PAE)));
    const task = m.and(m.state(segmentSlots(TR).attributes), m.constant(ATTRIBUTES.TYPE));
    const hasSmallTask = m.equal(task, m.constant(BUSY_TSS_16));
    const cannotEnter = m.either(m.either(lacksPae, isLongCode), hasSmallTask);
    raiseWhen(m.both(entersLongMode, cannotEnter));

    const isLong = m.either(isLongMode(m), entersLongMode);
    const usesPae = m.both(m.both(isPagingOn, m.isFalse(lacksPae)), m.isFalse(isLong));
    const reloads = hasBits(m, m.xor(old, value), CR0_POINTERS);
    m.when(m.both(usesPae, reloads), () => m.call(loadPointers, m.state(slots.cr3)));

    const efer = m.state(slots.efer);
    m.when(entersLongMode, () => m.setState(slots.efer, m.or(efer, m.constant(EFER.LMA))));
    m.when(m.isFalse(isPagingOn), () => m.setState(slots.efer, m.and(efer, m.constant(~EFER.LMA))));
    m.setState(slots.cr0, m.or(m.and(value, m.constant(CR0_DEFINED)), m.constant(CR0.ET)));
    flushWhen(m, hasBits(m, m.xor(old, value), CR0_TRANSLATION), 1);
    m.call(updateMode);
  },
};

/**
 * Writes CR3 and drops the translations that are not global. Parameter: the new value. Raises #GP(0).
 *
 * With PCIDs bit 63 asks for translations to be kept, which is a permission and not a duty: the TLB holds those of one
 * PCID. Intel SDM Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches".
 */
export const writeCr3: Routine = {
  name: "writeCr3",
  parameters: ["i64"],
  result: undefined,
  raises: true,
  body(m, ...[value]) {
    if (value === undefined) throw new RangeError("writeCr3 takes a value.");
    const hasPcids = hasBits(m, m.state(slots.cr4), CR4.PCIDE);
    const kept = m.select(hasPcids, m.constant(~KEEP_TRANSLATIONS), m.constant(-1n));
    const written = m.and(value, kept);
    const reserved = m.or(m.state(slots.physicalReserved), m.constant(0xfff0_0000_0000_0000n));
    m.raiseWhen(m.both(isLongMode(m), m.and(written, reserved)), "GP", m.constant(0));
    m.when(usesPaePaging(m, m.state(slots.cr4)), () => m.call(loadPointers, written));
    m.setState(slots.cr3, written);
    m.helper("flushTlb", [m.toI32(m.constant(0))]);
  },
};

/** Writes CR4. Parameter: the new value. Raises #GP(0) for flags that the profile does not have. */
export const writeCr4: Routine = {
  name: "writeCr4",
  parameters: ["i64"],
  result: undefined,
  raises: true,
  body(m, ...[value]) {
    if (value === undefined) throw new RangeError("writeCr4 takes a value.");
    const old = m.state(slots.cr4);
    const unknown = m.and(value, m.not(m.state(slots.cr4Allowed)));
    m.raiseWhen(unknown, "GP", m.constant(0));
    const dropsPae = m.isZero(m.and(value, m.constant(CR4.PAE)));
    m.raiseWhen(m.both(isLongMode(m), dropsPae), "GP", m.constant(0));
    // PCIDs begin in IA-32e mode, with PCID 0.
    const beginsPcids = m.both(hasBits(m, value, CR4.PCIDE), m.isFalse(hasBits(m, old, CR4.PCIDE)));
    const hasPcid = hasBits(m, m.state(slots.cr3), PCID);
    const isTooEarly = m.either(m.isFalse(isLongMode(m)), hasPcid);
    m.raiseWhen(m.both(beginsPcids, isTooEarly), "GP", m.constant(0));
    const reloads = hasBits(m, m.xor(old, value), CR4_POINTERS);
    m.when(m.both(usesPaePaging(m, value), reloads), () =>
      m.call(loadPointers, m.state(slots.cr3)),
    );
    m.setState(slots.cr4, value);
    flushWhen(m, hasBits(m, m.xor(old, value), CR4_TRANSLATION), 1);
    m.call(updateMode);
  },
};

/** True with a CR4 and the present CR0 and EFER. */
function usesPaePaging(m: SemanticsBuilder, cr4: Value): Value {
  const isPaging = hasBits(m, m.state(slots.cr0), CR0.PG);
  return m.both(m.both(isPaging, hasBits(m, cr4, CR4.PAE)), m.isFalse(isLongMode(m)));
}

function flushWhen(m: SemanticsBuilder, condition: Value, includingGlobal: 0 | 1): void {
  m.when(condition, () => m.helper("flushTlb", [m.toI32(m.constant(includingGlobal))]));
}
