/**
 * The model-specific registers: one table, checked reads and writes.
 *
 * Intel SDM Vol. 4, Table 2-2, "IA-32 Architectural MSRs"; Vol. 3A §5.8.8, "Fast System Calls in 64-Bit Mode".
 */
import { isCanonical } from "../paging/canonical.ts";
import { segmentSlots, slots, type Slot } from "../state/layout.ts";
import { MTRR_CAPABILITIES, rangeRegisters } from "./memory-types.ts";
import type { ProcessorProfile } from "./profile.ts";
import { CR0, EFER } from "./registers.ts";

/** The state block, by slot. */
export interface StateAccess {
  get(slot: Slot): bigint;
  set(slot: Slot, value: bigint): void;
}

/** What MSRs reach beside the state block. */
export interface MsrContext {
  readonly state: StateAccess;
  readonly profile: ProcessorProfile;
  /** Machine time in TSC ticks, without the offset. */
  now(): bigint;
  /** Empties the TLB, global pages included. */
  flushTlb(): void;
}

/** One register. `write` returns false where the value is #GP(0). */
interface Msr {
  readonly name: string;
  readonly feature?: string;
  readonly read: (context: MsrContext) => bigint;
  readonly write: (context: MsrContext, value: bigint) => boolean;
}

const readOnly = (): boolean => false;
const ignored = (): boolean => true;

function stored(
  name: string,
  slot: Slot,
  isValid: (value: bigint) => boolean,
  feature?: string,
): Msr {
  return {
    name,
    ...(feature === undefined ? {} : { feature }),
    read: ({ state }) => state.get(slot),
    write({ state }, value) {
      if (!isValid(value)) return false;
      state.set(slot, value);
      return true;
    },
  };
}

const anyValue = (): boolean => true;
const fitsIn32Bits = (value: bigint): boolean => value >> 32n === 0n;

/** Each of the eight fields is a memory type: 0, 1, 4, 5, 6 or 7. Intel SDM Vol. 3A §12.12.2, "IA32_PAT MSR". */
function isPat(value: bigint): boolean {
  for (let field = 0n; field < 8n; field += 1n) {
    const type = (value >> (field * 8n)) & 0xffn;
    if (type > 7n || type === 2n || type === 3n) return false;
  }
  return true;
}

/**
 * Vulnerabilities that the processor says it does not have: it does not speculate. RDCL, SKIP_L1DFL_VMENTRY, SSB, MDS,
 * PSCHANGE_MC, TAA, SBDR_SSDP, FBSDP, PSDP, BHI, PBRSB, GDS and RFDS, each "no".
 */
const ARCH_CAPABILITIES: bigint = [0, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27].reduce(
  (bits, bit) => bits | (1n << BigInt(bit)),
  0n,
);

/** IA32_MISC_ENABLE bit 0: fast strings. */
const MISC_ENABLE = 1n;

const gsBase = segmentSlots(5).base;
const fsBase = segmentSlots(4).base;

const TABLE: ReadonlyMap<number, Msr> = new Map<number, Msr>([
  [
    0x10,
    {
      name: "IA32_TIME_STAMP_COUNTER",
      feature: "tsc",
      read: readTimestamp,
      write(context, value) {
        context.state.set(slots.tscOffset, BigInt.asUintN(64, value - context.now()));
        return true;
      },
    },
  ],
  [0x17, { name: "IA32_PLATFORM_ID", read: () => 0n, write: readOnly }],
  // Writing 0 and executing CPUID asks for the revision of the microcode update: none is loaded.
  [0x8b, { name: "IA32_BIOS_SIGN_ID", read: () => 0n, write: ignored }],
  [
    0x10a,
    {
      name: "IA32_ARCH_CAPABILITIES",
      feature: "arch_capabilities",
      read: () => ARCH_CAPABILITIES,
      write: readOnly,
    },
  ],
  [
    0x174,
    {
      name: "IA32_SYSENTER_CS",
      feature: "sep",
      read: ({ state }) => state.get(slots.sysenterCs),
      // Bits 63:32 are not used, which is not reserved.
      write({ state }, value) {
        state.set(slots.sysenterCs, BigInt.asUintN(32, value));
        return true;
      },
    },
  ],
  [0x175, stored("IA32_SYSENTER_ESP", slots.sysenterEsp, isCanonical, "sep")],
  [0x176, stored("IA32_SYSENTER_EIP", slots.sysenterEip, isCanonical, "sep")],
  // Fast strings cannot be switched off; writes are accepted, as those of unsupported bits are on most processors.
  [0x1a0, { name: "IA32_MISC_ENABLE", read: () => MISC_ENABLE, write: ignored }],
  [0x277, stored("IA32_PAT", slots.pat, isPat, "pat")],
  [
    0xc000_0080,
    {
      name: "IA32_EFER",
      feature: "lm",
      read: ({ state }) => state.get(slots.efer),
      write: writeEfer,
    },
  ],
  [0xc000_0081, stored("IA32_STAR", slots.star, anyValue, "syscall")],
  [0xc000_0082, stored("IA32_LSTAR", slots.lstar, isCanonical, "syscall")],
  [0xc000_0083, stored("IA32_CSTAR", slots.cstar, isCanonical, "syscall")],
  [0xc000_0084, stored("IA32_FMASK", slots.sfmask, fitsIn32Bits, "syscall")],
  [0xc000_0100, stored("IA32_FS_BASE", fsBase, isCanonical, "lm")],
  [0xc000_0101, stored("IA32_GS_BASE", gsBase, isCanonical, "lm")],
  [0xc000_0102, stored("IA32_KERNEL_GS_BASE", slots.kernelGsBase, isCanonical, "lm")],
  [0xfe, { name: "IA32_MTRRCAP", feature: "mtrr", read: () => MTRR_CAPABILITIES, write: readOnly }],
  ...rangeRegisters.map(({ index, name, slot, isValid }): [number, Msr] => [
    index,
    {
      name,
      feature: "mtrr",
      read: ({ state }) => state.get(slot),
      write({ state, profile }, value) {
        if (!isValid(value, profile.physicalAddressBits)) return false;
        state.set(slot, value);
        return true;
      },
    },
  ]),
  [0xc000_0103, stored("IA32_TSC_AUX", slots.tscAux, fitsIn32Bits, "rdtscp")],
]);

/** TSC = machine time plus an offset. */
export function readTimestamp(context: MsrContext): bigint {
  return BigInt.asUintN(64, context.now() + context.state.get(slots.tscOffset));
}

/** @returns undefined where there is no such register: #GP(0). */
export function readMsr(context: MsrContext, index: number): bigint | undefined {
  return find(context, index)?.read(context);
}

/** @returns false where there is no such register, or where it refuses the value: #GP(0). Derived state follows with updateMode. */
export function writeMsr(context: MsrContext, index: number, value: bigint): boolean {
  return find(context, index)?.write(context, value) ?? false;
}

function find(context: MsrContext, index: number): Msr | undefined {
  const msr = TABLE.get(index);
  if (msr?.feature !== undefined && !context.profile.features.has(msr.feature)) return undefined;
  return msr;
}

/**
 * EFER: LMA is the processor's, LME is fixed while paging is on.
 * Intel SDM Vol. 3A §2.2.1, "Extended Feature Enable Register"; §10.8.5, "Initializing IA-32e Mode".
 */
function writeEfer(context: MsrContext, value: bigint): boolean {
  const { state } = context;
  const old = state.get(slots.efer);
  const next = (value & ~EFER.LMA) | (old & EFER.LMA);
  if ((value & ~(state.get(slots.eferAllowed) | EFER.LMA)) !== 0n) return false;
  const isPaging = (state.get(slots.cr0) & CR0.PG) !== 0n;
  if (isPaging && ((old ^ next) & EFER.LME) !== 0n) return false;
  state.set(slots.efer, next);
  // NXE changes what table entries mean.
  if (((old ^ next) & EFER.NXE) !== 0n) context.flushTlb();
  return true;
}
