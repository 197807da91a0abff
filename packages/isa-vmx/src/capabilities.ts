/**
 * Capabilities: what a processor's VMX can do, and the MSRs that say so.
 *
 * The values follow a Sandy Bridge (i7-2600K), less what is not implemented. Software reads them as a processor's, and
 * the checks of VM entry use the same numbers.
 *
 * Intel SDM Vol. 3D Appendix A, "VMX Capability Reporting Facility".
 */
import { ENTRY_CONTROL, EXIT_CONTROL, PIN, PRIMARY, SECONDARY } from "./controls.ts";

/** Controls of one kind: which bits must be 1, and which may be. */
export interface ControlCapability {
  /** Allowed 0-settings as the TRUE MSR reports them: bits that must be 1. */
  readonly mustBeOne: number;
  /** The default1 class: bits that the MSR without TRUE reports as must-be-one. */
  readonly default1: number;
  /** Allowed 1-settings: bits that may be 1. */
  readonly mayBeOne: number;
}

/** What one processor's VMX offers. Plain data. */
export interface VmxCapabilities {
  /** Kebab-case. */
  readonly id: string;
  /** VMCS revision identifier, 31 bits. */
  readonly revision: number;
  readonly pin: ControlCapability;
  readonly primary: ControlCapability;
  readonly secondary: ControlCapability;
  readonly exit: ControlCapability;
  readonly entry: ControlCapability;
  /** The preemption timer counts once in 2^n TSC ticks: IA32_VMX_MISC bits 4:0. */
  readonly preemptionTimerShift: number;
  /** EPT: undefined where there is none. */
  readonly ept:
    | {
        /** Leaves of 2 MiB are always there. */
        readonly hugePages: boolean;
        readonly accessedDirty: boolean;
        readonly executeOnly: boolean;
      }
    | undefined;
  readonly vpid: boolean;
  /** HLT activity state. Shutdown and wait-for-SIPI cannot be entered. */
  readonly haltActivity: boolean;
}

/** Bits of a register that must be 1, and those that may be. */
export interface FixedBits {
  readonly mustBeOne: bigint;
  readonly mayBeOne: bigint;
}

/** CR0 in VMX operation: PE, NE and PG. Intel SDM Vol. 3D Appendix A.7, "VMX-Fixed Bits in CR0". */
export const CR0_FIXED: FixedBits = { mustBeOne: 0x8000_0021n, mayBeOne: 0xffff_ffffn };

/** Bits in the default1 class. Intel SDM Vol. 3D Appendix A.3, "VM-Execution Controls"; Appendix A.4, "VM-Exit Controls"; Appendix A.5, "VM-Entry Controls". */
const DEFAULT1 = { pin: 0x16, primary: 0x0401_e172, exit: 0x3_6dff, entry: 0x11ff } as const;
/** Of these, what TRUE capabilities allow to be 0: CR3-load and CR3-store exiting; save and load of debug controls. */
const RELAXED = {
  primary: PRIMARY.CR3_LOAD_EXITING + PRIMARY.CR3_STORE_EXITING,
  exit: EXIT_CONTROL.SAVE_DEBUG_CONTROLS,
  entry: ENTRY_CONTROL.LOAD_DEBUG_CONTROLS,
} as const;

function all(bits: Readonly<Record<string, number>>, without: number = 0): number {
  return (Object.values(bits).reduce((sum, each) => sum + each, 0) & ~without) >>> 0;
}

function capability(default1: number, relaxed: number, allowed: number): ControlCapability {
  return {
    default1,
    mustBeOne: (default1 & ~relaxed) >>> 0,
    mayBeOne: (default1 | allowed) >>> 0,
  };
}

/** MONITOR and MWAIT are not in the instruction table, so their controls do nothing; hypervisors insist on them. */
const PRIMARY_ALLOWED: number = all(PRIMARY);

/** A Sandy Bridge with EPT and VPID, without accessed and dirty flags for EPT. */
export const sandyBridge: VmxCapabilities = {
  id: "sandy-bridge",
  revision: 0x10,
  pin: capability(DEFAULT1.pin, 0, all(PIN)),
  primary: capability(DEFAULT1.primary, RELAXED.primary, PRIMARY_ALLOWED),
  secondary: capability(0, 0, all(SECONDARY)),
  exit: capability(DEFAULT1.exit, RELAXED.exit, all(EXIT_CONTROL)),
  entry: capability(DEFAULT1.entry, RELAXED.entry, all(ENTRY_CONTROL)),
  preemptionTimerShift: 5,
  ept: { hugePages: false, accessedDirty: false, executeOnly: true },
  vpid: true,
  haltActivity: true,
};

/** The same with accessed and dirty flags in EPT entries, as from Haswell on. */
export const haswell: VmxCapabilities = {
  ...sandyBridge,
  id: "haswell",
  revision: 0x12,
  ept: { hugePages: true, accessedDirty: true, executeOnly: true },
};

/** A Penryn: no EPT, no VPID; VM entries and exits empty the TLB. For shadow paging. */
export const penryn: VmxCapabilities = {
  ...sandyBridge,
  id: "penryn",
  revision: 0xd,
  pin: capability(DEFAULT1.pin, 0, all(PIN, PIN.PREEMPTION_TIMER)),
  secondary: capability(0, 0, SECONDARY.WBINVD_EXITING),
  exit: capability(
    DEFAULT1.exit,
    RELAXED.exit,
    all(
      EXIT_CONTROL,
      EXIT_CONTROL.SAVE_PREEMPTION_TIMER +
        EXIT_CONTROL.SAVE_EFER +
        EXIT_CONTROL.LOAD_EFER +
        EXIT_CONTROL.SAVE_PAT +
        EXIT_CONTROL.LOAD_PAT,
    ),
  ),
  entry: capability(
    DEFAULT1.entry,
    RELAXED.entry,
    all(ENTRY_CONTROL, ENTRY_CONTROL.LOAD_EFER + ENTRY_CONTROL.LOAD_PAT),
  ),
  ept: undefined,
  vpid: false,
};

export const CAPABILITY_MSR = {
  FEATURE_CONTROL: 0x3a,
  BASIC: 0x480,
  PINBASED: 0x481,
  PROCBASED: 0x482,
  EXIT: 0x483,
  ENTRY: 0x484,
  MISC: 0x485,
  CR0_FIXED0: 0x486,
  CR0_FIXED1: 0x487,
  CR4_FIXED0: 0x488,
  CR4_FIXED1: 0x489,
  VMCS_ENUM: 0x48a,
  PROCBASED2: 0x48b,
  EPT_VPID: 0x48c,
  TRUE_PINBASED: 0x48d,
  TRUE_PROCBASED: 0x48e,
  TRUE_EXIT: 0x48f,
  TRUE_ENTRY: 0x490,
} as const;

/** Bits of IA32_VMX_EPT_VPID_CAP. Intel SDM Vol. 3D Appendix A.10, "VPID and EPT Capabilities". */
export const EPT_VPID = {
  EXECUTE_ONLY: 0x1n,
  FOUR_LEVELS: 0x40n,
  UNCACHEABLE: 0x100n,
  WRITE_BACK: 0x4000n,
  LARGE_PAGES: 0x1_0000n,
  HUGE_PAGES: 0x2_0000n,
  INVEPT: 0x10_0000n,
  ACCESSED_DIRTY: 0x20_0000n,
  INVEPT_SINGLE: 0x200_0000n,
  INVEPT_ALL: 0x400_0000n,
  INVVPID: 0x1_0000_0000n,
  INVVPID_ADDRESS: 0x100_0000_0000n,
  INVVPID_SINGLE: 0x200_0000_0000n,
  INVVPID_ALL: 0x400_0000_0000n,
  INVVPID_RETAINING: 0x800_0000_0000n,
} as const;

function controlMsr(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function eptVpid({ ept, vpid }: VmxCapabilities): bigint {
  let bits = 0n;
  if (ept !== undefined) {
    bits |=
      EPT_VPID.FOUR_LEVELS | EPT_VPID.UNCACHEABLE | EPT_VPID.WRITE_BACK | EPT_VPID.LARGE_PAGES;
    bits |= EPT_VPID.INVEPT | EPT_VPID.INVEPT_SINGLE | EPT_VPID.INVEPT_ALL;
    if (ept.executeOnly) bits |= EPT_VPID.EXECUTE_ONLY;
    if (ept.hugePages) bits |= EPT_VPID.HUGE_PAGES;
    if (ept.accessedDirty) bits |= EPT_VPID.ACCESSED_DIRTY;
  }
  if (vpid) {
    bits |= EPT_VPID.INVVPID | EPT_VPID.INVVPID_ADDRESS | EPT_VPID.INVVPID_SINGLE;
    bits |= EPT_VPID.INVVPID_ALL | EPT_VPID.INVVPID_RETAINING;
  }
  return bits;
}

/** Bytes of a VMCS region and of the VMXON region. */
export const REGION_BYTES = 4096;
const WRITE_BACK = 6n;
const BASIC_TRUE_CONTROLS = 1n << 55n;
const BASIC_IO_INFORMATION = 1n << 54n;
const MISC_EFER_LMA = 1n << 5n;
const MISC_HLT = 1n << 6n;
const MISC_CR3_TARGETS = 4n << 16n;
/** Highest index of a field's encoding, in bits 9:1: that of the preemption timer's value. */
const VMCS_ENUM = 0x2en;

/** The read-only capability MSRs by index. IA32_FEATURE_CONTROL is not among them. */
export function capabilityMsrs(
  capabilities: VmxCapabilities,
  cr4Allowed: bigint,
): ReadonlyMap<number, bigint> {
  const { pin, primary, secondary, exit, entry } = capabilities;
  const legacy = ({ default1, mayBeOne }: ControlCapability): bigint =>
    controlMsr(default1, mayBeOne);
  const exact = ({ mustBeOne, mayBeOne }: ControlCapability): bigint =>
    controlMsr(mustBeOne, mayBeOne);
  const basic =
    BigInt(capabilities.revision) |
    (BigInt(REGION_BYTES) << 32n) |
    (WRITE_BACK << 50n) |
    BASIC_IO_INFORMATION |
    BASIC_TRUE_CONTROLS;
  const misc =
    BigInt(capabilities.preemptionTimerShift) |
    MISC_EFER_LMA |
    (capabilities.haltActivity ? MISC_HLT : 0n) |
    MISC_CR3_TARGETS;
  const extended = eptVpid(capabilities);
  return new Map([
    [CAPABILITY_MSR.BASIC, basic],
    [CAPABILITY_MSR.PINBASED, legacy(pin)],
    [CAPABILITY_MSR.PROCBASED, legacy(primary)],
    [CAPABILITY_MSR.EXIT, legacy(exit)],
    [CAPABILITY_MSR.ENTRY, legacy(entry)],
    [CAPABILITY_MSR.MISC, misc],
    [CAPABILITY_MSR.CR0_FIXED0, CR0_FIXED.mustBeOne],
    [CAPABILITY_MSR.CR0_FIXED1, CR0_FIXED.mayBeOne],
    [CAPABILITY_MSR.CR4_FIXED0, cr4Fixed(cr4Allowed).mustBeOne],
    [CAPABILITY_MSR.CR4_FIXED1, cr4Fixed(cr4Allowed).mayBeOne],
    [CAPABILITY_MSR.VMCS_ENUM, VMCS_ENUM],
    [CAPABILITY_MSR.PROCBASED2, controlMsr(0, secondary.mayBeOne)],
    ...(extended === 0n ? [] : [[CAPABILITY_MSR.EPT_VPID, extended] as const]),
    [CAPABILITY_MSR.TRUE_PINBASED, exact(pin)],
    [CAPABILITY_MSR.TRUE_PROCBASED, exact(primary)],
    [CAPABILITY_MSR.TRUE_EXIT, exact(exit)],
    [CAPABILITY_MSR.TRUE_ENTRY, exact(entry)],
  ]);
}

/** CR4 in VMX operation: VMXE, and what the processor's profile has. Intel SDM Vol. 3D Appendix A.8, "VMX-Fixed Bits in CR4". */
export function cr4Fixed(cr4Allowed: bigint): FixedBits {
  return { mustBeOne: 0x2000n, mayBeOne: cr4Allowed };
}
