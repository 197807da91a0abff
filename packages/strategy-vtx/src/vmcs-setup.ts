/**
 * The controls and the host state of a guest's VMCS: what exits and what does not.
 *
 * Intel SDM Vol. 3C §25.6, "VM-Execution Control Fields".
 */
import type { PhysicalMemory } from "@ringside/isa";
import {
  ENTRY_CONTROL,
  EXIT_CONTROL,
  PIN,
  PRIMARY,
  SECONDARY,
  type ControlCapability,
  type VmxCapabilities,
} from "@ringside/isa-vmx";
import { frameBytes } from "@ringside/machine";
import type { PagingControls } from "./paging.ts";
import type { Vmcs } from "./vmcs.ts";

/** CR0.NE, which VMX holds at 1. Intel SDM Vol. 3D Appendix A.7, "VMX-Fixed Bits in CR0". */
const cr0Fixed = 0x20n;
/** PE and PG, which it holds at 1 too unless the guest is unrestricted. */
export const cr0Restricted = 0x8000_0001n;
/** CR4.VMXE, which VMX holds at 1 and the guest must not see. */
export const cr4Fixed = 0x2000n;

/** Pages of the host that a VMCS refers to; physical addresses. */
export interface VmcsPages {
  readonly msrBitmap: number;
  readonly virtualApic: number;
}

const pin = PIN.EXTERNAL_INTERRUPT_EXITING | PIN.NMI_EXITING | PIN.VIRTUAL_NMIS;
/** Besides these, window exiting is switched on and off as events wait. */
const primary =
  (PRIMARY.USE_TSC_OFFSETTING |
    PRIMARY.HLT_EXITING |
    PRIMARY.USE_TPR_SHADOW |
    PRIMARY.UNCONDITIONAL_IO_EXITING |
    PRIMARY.USE_MSR_BITMAPS |
    PRIMARY.ACTIVATE_SECONDARY) >>>
  0;
const secondary = SECONDARY.ENABLE_RDTSCP;
const exit =
  EXIT_CONTROL.SAVE_DEBUG_CONTROLS |
  EXIT_CONTROL.HOST_ADDRESS_SPACE_SIZE |
  EXIT_CONTROL.ACKNOWLEDGE_INTERRUPT |
  EXIT_CONTROL.SAVE_PAT |
  EXIT_CONTROL.LOAD_PAT |
  EXIT_CONTROL.SAVE_EFER |
  EXIT_CONTROL.LOAD_EFER;
const entry = ENTRY_CONTROL.LOAD_DEBUG_CONTROLS | ENTRY_CONTROL.LOAD_PAT | ENTRY_CONTROL.LOAD_EFER;

/** Adds the bits that the processor wants set. */
function adjusted(wanted: number, { mustBeOne }: ControlCapability): number {
  return (wanted | mustBeOne) >>> 0;
}

/** The primary controls with no window open. */
export function primaryControls(capabilities: VmxCapabilities, paging: PagingControls): number {
  return adjusted(primary | paging.primary, capabilities.primary);
}

/** Bits of CR0 that the guest does not own. */
export function cr0HeldBits({ cr0Held }: PagingControls): bigint {
  return cr0Fixed | cr0Held;
}

/** VM-entry controls for a guest whose IA32_EFER.LMA is this. */
export function entryControls({ entry: capability }: VmxCapabilities, isLong: boolean): number {
  return adjusted(entry | (isLong ? ENTRY_CONTROL.IA32E_MODE_GUEST : 0), capability);
}

export function writeControls(
  vmcs: Vmcs,
  capabilities: VmxCapabilities,
  pages: VmcsPages,
  paging: PagingControls,
): void {
  vmcs.write("PIN_BASED_CONTROLS", adjusted(pin, capabilities.pin));
  vmcs.write("PRIMARY_CONTROLS", primaryControls(capabilities, paging));
  vmcs.write("SECONDARY_CONTROLS", adjusted(secondary | paging.secondary, capabilities.secondary));
  vmcs.write("VM_EXIT_CONTROLS", adjusted(exit, capabilities.exit));
  vmcs.write("MSR_BITMAP", pages.msrBitmap);
  vmcs.write("VIRTUAL_APIC_ADDRESS", pages.virtualApic);
  vmcs.write("VMCS_LINK_POINTER", 0xffff_ffff_ffff_ffffn);
  // The guest owns all of CR0 and CR4 but what is held; it reads those bits from the read shadows.
  vmcs.write("CR0_GUEST_HOST_MASK", cr0HeldBits(paging));
  vmcs.write("CR4_GUEST_HOST_MASK", cr4Fixed);
  vmcs.write("EXCEPTION_BITMAP", paging.exceptionBitmap);
}

/** Model-specific registers that the guest reads and writes without an exit. */
const ownMsrs = [
  0x174, // IA32_SYSENTER_CS
  0x175, // IA32_SYSENTER_ESP
  0x176, // IA32_SYSENTER_EIP
  0x277, // IA32_PAT
  0xc000_0080, // IA32_EFER
  0xc000_0081, // IA32_STAR
  0xc000_0082, // IA32_LSTAR
  0xc000_0083, // IA32_CSTAR
  0xc000_0084, // IA32_FMASK
  0xc000_0100, // IA32_FS_BASE
  0xc000_0101, // IA32_GS_BASE
  0xc000_0102, // IA32_KERNEL_GS_BASE
  0xc000_0103, // IA32_TSC_AUX
] as const;

/** One bit per register: reads of the low and the high range, then writes. SDM Vol. 3C §25.6.9, "MSR-Bitmap Address". */
export function writeMsrBitmap(memory: PhysicalMemory, page: number): void {
  memory.fill(page, 0xff, frameBytes);
  for (const index of ownMsrs) {
    const bit = index & 0x1fff;
    const half = index >= 0xc000_0000 ? 1024 : 0;
    for (const base of [page + half, page + 2048 + half]) {
      const at = base + (bit >> 3);
      memory.writeU8(at, memory.readU8(at) & ~(1 << (bit & 7)));
    }
  }
}
