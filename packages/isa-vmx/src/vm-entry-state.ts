/**
 * Loading guest state: what VM entry puts into the processor after its checks.
 *
 * Intel SDM Vol. 3C §26.3.2, "Loading Guest State"; §26.4, "Loading MSRs"; §26.6, "Event Injection".
 */
import {
  CR0,
  segmentSlots,
  slots,
  type ExtensionContext,
  type ProcessorState,
} from "@ringside/isa";
import { ENTRY_CONTROL, PRIMARY, SECONDARY } from "./controls.ts";
import type { EntryView } from "./entry-check.ts";
import { EPT_MODE, vmx } from "./vmx-state.ts";
import type { VmxCapabilities } from "./capabilities.ts";
import type { FieldKey } from "./fields.ts";

/** CR0 bits that VM entry and VM exit leave alone. */
export const CR0_KEPT: bigint = CR0.CD | CR0.NW | CR0.ET;
/** Access rights without reserved bits. */
export const RIGHTS_MASK = 0x1_f0ff;
const EFER_LMA = 0x400n;
const EFER_LME = 0x100n;
/** DR7: bits 15:14, 12 and 11 read as 0, bit 10 as 1. */
const DR7_CLEARED = 0xd800n;
const DR7_SET = 0x400n;

const SEGMENT_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"] as const;

/** The four fields of each segment register, in the order of the state block's. */
export const SEGMENT_FIELDS: readonly {
  readonly selector: FieldKey;
  readonly base: FieldKey;
  readonly limit: FieldKey;
  readonly rights: FieldKey;
}[] = SEGMENT_NAMES.map((name) => ({
  selector: `GUEST_${name}_SELECTOR`,
  base: `GUEST_${name}_BASE`,
  limit: `GUEST_${name}_LIMIT`,
  rights: `GUEST_${name}_ACCESS_RIGHTS`,
}));

function ring(level: number): 0 | 1 | 2 | 3 {
  return level === 1 || level === 2 || level === 3 ? level : 0;
}

/**
 * Loads the guest's registers. The TLB is the caller's.
 *
 * Differs from the SDM: IA32_DEBUGCTL is checked and not loaded, for there is no such register; nor are the PDPTEs of PAE
 * paging, which walks read from memory.
 */
export function loadGuestState(context: ExtensionContext, view: EntryView): void {
  const { state } = context;
  const entryHas = (bit: number): boolean => view.control("VM_ENTRY_CONTROLS", bit);
  const isLong = entryHas(ENTRY_CONTROL.IA32E_MODE_GUEST);
  state.set(slots.cr0, (view.get("GUEST_CR0") & ~CR0_KEPT) | (state.cr0 & CR0_KEPT) | CR0.ET);
  state.set(slots.cr3, view.get("GUEST_CR3"));
  state.set(slots.cr4, view.get("GUEST_CR4"));
  if (entryHas(ENTRY_CONTROL.LOAD_DEBUG_CONTROLS)) {
    state.set(slots.dr7, (view.get("GUEST_DR7") & ~DR7_CLEARED) | DR7_SET);
  }
  state.set(slots.sysenterCs, view.get("GUEST_IA32_SYSENTER_CS"));
  state.set(slots.sysenterEsp, view.get("GUEST_IA32_SYSENTER_ESP"));
  state.set(slots.sysenterEip, view.get("GUEST_IA32_SYSENTER_EIP"));
  if (entryHas(ENTRY_CONTROL.LOAD_EFER)) state.set(slots.efer, view.get("GUEST_IA32_EFER"));
  else {
    const long = EFER_LMA | EFER_LME;
    // Paging is always on in a guest, so LME follows LMA.
    state.set(slots.efer, (state.efer & ~long) | (isLong ? long : 0n));
  }
  if (entryHas(ENTRY_CONTROL.LOAD_PAT)) state.set(slots.pat, view.get("GUEST_IA32_PAT"));
  for (const [index, fields] of SEGMENT_FIELDS.entries()) {
    const place = segmentSlots(index);
    state.set(place.selector, view.get(fields.selector));
    state.set(place.base, view.get(fields.base));
    state.set(place.limit, view.get(fields.limit));
    state.setNumber(place.attributes, view.number(fields.rights) & RIGHTS_MASK);
  }
  state.set(slots.gdtrBase, view.get("GUEST_GDTR_BASE"));
  state.set(slots.gdtrLimit, view.get("GUEST_GDTR_LIMIT"));
  state.set(slots.idtrBase, view.get("GUEST_IDTR_BASE"));
  state.set(slots.idtrLimit, view.get("GUEST_IDTR_LIMIT"));
  state.rsp = view.get("GUEST_RSP");
  state.rip = view.get("GUEST_RIP");
  state.rflags = view.get("GUEST_RFLAGS");
  const blocking = view.number("GUEST_INTERRUPTIBILITY_STATE");
  state.setNumber(slots.interruptShadow, (blocking & 1) !== 0 ? 1 : (blocking & 2) !== 0 ? 2 : 0);
  state.setNumber(slots.nmiBlocked, (blocking & 8) !== 0 ? 1 : 0);
  state.setNumber(slots.halted, view.number("GUEST_ACTIVITY_STATE") === 1 ? 1 : 0);
  context.setPrivilegeLevel(ring((view.number("GUEST_SS_ACCESS_RIGHTS") >> 5) & 3));
  context.updateMode();
}

/** Copies the controls to where intercepts look for them. */
export function loadControls(
  state: ProcessorState,
  view: EntryView,
  capabilities: VmxCapabilities,
): void {
  const copy = (slot: (typeof vmx)[keyof typeof vmx], key: FieldKey): void =>
    state.set(slot, view.get(key));
  copy(vmx.pin, "PIN_BASED_CONTROLS");
  copy(vmx.primary, "PRIMARY_CONTROLS");
  state.set(vmx.secondary, BigInt(view.secondary));
  copy(vmx.exitControls, "VM_EXIT_CONTROLS");
  copy(vmx.entryControls, "VM_ENTRY_CONTROLS");
  copy(vmx.exceptionBitmap, "EXCEPTION_BITMAP");
  copy(vmx.cr0Mask, "CR0_GUEST_HOST_MASK");
  copy(vmx.cr4Mask, "CR4_GUEST_HOST_MASK");
  copy(vmx.cr0Shadow, "CR0_READ_SHADOW");
  copy(vmx.cr4Shadow, "CR4_READ_SHADOW");
  copy(vmx.ioBitmapA, "IO_BITMAP_A");
  copy(vmx.ioBitmapB, "IO_BITMAP_B");
  copy(vmx.msrBitmap, "MSR_BITMAP");
  copy(vmx.virtualApic, "VIRTUAL_APIC_ADDRESS");
  copy(vmx.tprThreshold, "TPR_THRESHOLD");
  copy(vmx.cr3TargetCount, "CR3_TARGET_COUNT");
  const targets = [
    "CR3_TARGET_VALUE0",
    "CR3_TARGET_VALUE1",
    "CR3_TARGET_VALUE2",
    "CR3_TARGET_VALUE3",
  ] as const;
  for (const [index, key] of targets.entries()) {
    const { offset } = vmx.cr3Targets;
    state.set({ offset: offset + index * 8, bytes: 8 }, view.get(key));
  }
  const usesEpt = view.hasSecondary(SECONDARY.ENABLE_EPT);
  const pointer = usesEpt ? view.get("EPT_POINTER") : 0n;
  state.set(vmx.eptPointer, pointer);
  state.set(vmx.eptAccessedDirty, (pointer >> 6n) & 1n);
  const { ept } = capabilities;
  const huge = ept?.hugePages === true ? EPT_MODE.HUGE_PAGES : 0n;
  const executeOnly = ept?.executeOnly === true ? EPT_MODE.EXECUTE_ONLY : 0n;
  state.set(vmx.eptMode, huge | executeOnly);
  const usesVpid = view.hasSecondary(SECONDARY.ENABLE_VPID);
  state.set(vmx.vpid, usesVpid ? view.get("VIRTUAL_PROCESSOR_ID") : 0n);
}

/** Clears the controls: nothing is intercepted in root operation. */
export function clearControls(state: ProcessorState): void {
  for (const slot of [
    vmx.pin,
    vmx.primary,
    vmx.secondary,
    vmx.exceptionBitmap,
    vmx.cr0Mask,
    vmx.cr4Mask,
    vmx.eptPointer,
    vmx.eptAccessedDirty,
    vmx.timerEnd,
    vmx.trapEnd,
  ]) {
    state.set(slot, 0n);
  }
}

/** Whether the driver must ask at each boundary: an interrupt or NMI window is waited for. */
export function watchesWindows(state: ProcessorState): boolean {
  const windows = PRIMARY.INTERRUPT_WINDOW_EXITING + PRIMARY.NMI_WINDOW_EXITING;
  return (state.get(vmx.primary) & BigInt(windows)) !== 0n;
}
