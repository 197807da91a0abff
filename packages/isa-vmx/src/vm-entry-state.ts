/**
 * Loading guest state: what VM entry puts into the processor after its checks.
 *
 * Intel SDM Vol. 3C §27.3.2, "Loading Guest State"; §27.4, "Loading MSRs"; §27.6, "Event Injection".
 */
import {
  CR0,
  EFER,
  segmentSlots,
  slots,
  type ExtensionContext,
  type ProcessorState,
} from "@ringside/isa";
import type { VmxCapabilities } from "./capabilities.ts";
import { ENTRY_CONTROL, PRIMARY, SECONDARY } from "./controls.ts";
import { FieldTransfer, type FieldPlace, type StateWords } from "./field-transfer.ts";
import { fieldOf, fields, type FieldKey } from "./fields.ts";
import { BLOCKING } from "./interruption.ts";
import type { Vmcs } from "./vmcs.ts";
import { EPT_MODE, vmx } from "./vmx-state.ts";

const {
  GUEST_ACTIVITY_STATE,
  GUEST_CR0,
  GUEST_DR7,
  GUEST_IA32_EFER,
  GUEST_IA32_PAT,
  GUEST_INTERRUPTIBILITY_STATE,
  GUEST_RFLAGS,
  GUEST_SS_ACCESS_RIGHTS,
  PRIMARY_CONTROLS,
  SECONDARY_CONTROLS,
  VIRTUAL_PROCESSOR_ID,
  VM_ENTRY_CONTROLS,
} = fields;

/** CR0 bits that VM entry and VM exit leave alone. */
export const CR0_KEPT: bigint = CR0.CD | CR0.NW | CR0.ET;
/** Access rights without reserved bits. */
const RIGHTS_MASK = 0x1_f0ff;
/** DR7: bits 15:14, 12 and 11 read as 0, bit 10 as 1. */
const DR7_CLEARED = 0xd800n;
const DR7_SET = 0x400n;

const LMA_LOW = Number(EFER.LMA);
const PG_LOW = Number(CR0.PG);

/** Whether the processor is in IA-32e mode. */
export function isLongMode(state: ProcessorState): boolean {
  return (state.getNumber(slots.efer) & LMA_LOW) !== 0;
}

const SEGMENT_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"] as const;

/** What entries load and exits save as it is, whatever the controls say. */
export const PLAIN_GUEST_STATE: FieldTransfer = new FieldTransfer([
  ["GUEST_CR3", slots.cr3],
  ["GUEST_CR4", slots.cr4],
  ["GUEST_IA32_SYSENTER_CS", slots.sysenterCs],
  ["GUEST_IA32_SYSENTER_ESP", slots.sysenterEsp],
  ["GUEST_IA32_SYSENTER_EIP", slots.sysenterEip],
  ...SEGMENT_NAMES.flatMap((name, index): readonly FieldPlace[] => {
    const { selector, base, limit } = segmentSlots(index);
    return [
      [`GUEST_${name}_SELECTOR`, selector],
      [`GUEST_${name}_BASE`, base],
      [`GUEST_${name}_LIMIT`, limit],
    ];
  }),
  ["GUEST_GDTR_BASE", slots.gdtrBase],
  ["GUEST_GDTR_LIMIT", slots.gdtrLimit],
  ["GUEST_IDTR_BASE", slots.idtrBase],
  ["GUEST_IDTR_LIMIT", slots.idtrLimit],
  ["GUEST_RSP", { offset: slots.generalRegisters.offset + 4 * 8, bytes: 8 }],
  ["GUEST_RIP", slots.rip],
]);

/** The position of each access-rights field's word, and that of its slot. */
const RIGHTS: readonly (readonly [field: number, slot: number])[] = SEGMENT_NAMES.map(
  (name, index) => [
    fieldOf(`GUEST_${name}_ACCESS_RIGHTS`).index * 2,
    segmentSlots(index).attributes.offset / 4,
  ],
);

/** Access rights on their way to the processor, or from there. */
export function loadRights(fields: Uint32Array, { u32 }: StateWords): void {
  for (const [field, slot] of RIGHTS) u32[slot] = (fields[field] ?? 0) & RIGHTS_MASK;
}

export function saveRights({ u32 }: StateWords, fields: Uint32Array): void {
  for (const [field, slot] of RIGHTS) fields[field] = (u32[slot] ?? 0) & RIGHTS_MASK;
}

function ring(level: number): 0 | 1 | 2 | 3 {
  return level === 1 || level === 2 || level === 3 ? level : 0;
}

/**
 * Loads the guest's registers. The TLB is the caller's, and so is updating what follows from them.
 *
 * Differs from the SDM: IA32_DEBUGCTL is checked and not loaded, for there is no such register; nor are the PDPTEs of PAE
 * paging, which the first walk behind an entry reads from memory.
 */
export function loadGuestState(context: ExtensionContext, words: StateWords, vmcs: Vmcs): void {
  const { state } = context;
  const entry = vmcs.low(VM_ENTRY_CONTROLS);
  const isLong = (entry & ENTRY_CONTROL.IA32E_MODE_GUEST) !== 0;
  PLAIN_GUEST_STATE.load(vmcs.words, words);
  state.set(slots.pdptesOf, 0n);
  loadRights(vmcs.words, words);
  state.set(slots.cr0, (vmcs.read(GUEST_CR0) & ~CR0_KEPT) | (state.cr0 & CR0_KEPT) | CR0.ET);
  if ((entry & ENTRY_CONTROL.LOAD_DEBUG_CONTROLS) !== 0) {
    state.set(slots.dr7, (vmcs.read(GUEST_DR7) & ~DR7_CLEARED) | DR7_SET);
  }
  if ((entry & ENTRY_CONTROL.LOAD_EFER) !== 0) state.set(slots.efer, vmcs.read(GUEST_IA32_EFER));
  else {
    // LMA is as the control says; LME follows it where paging is on.
    const changed = (vmcs.low(GUEST_CR0) & PG_LOW) === 0 ? EFER.LMA : EFER.LMA | EFER.LME;
    state.set(slots.efer, (state.efer & ~changed) | (isLong ? changed : 0n));
  }
  if ((entry & ENTRY_CONTROL.LOAD_PAT) !== 0) state.set(slots.pat, vmcs.read(GUEST_IA32_PAT));
  state.rflags = vmcs.read(GUEST_RFLAGS);
  const blocking = vmcs.low(GUEST_INTERRUPTIBILITY_STATE);
  // The processor numbers its shadows as these bits.
  const shadow = blocking & BLOCKING.STI || blocking & BLOCKING.MOV_SS;
  state.setNumber(slots.interruptShadow, shadow);
  state.setNumber(slots.nmiBlocked, (blocking & BLOCKING.NMI) !== 0 ? 1 : 0);
  state.setNumber(slots.halted, vmcs.low(GUEST_ACTIVITY_STATE) === 1 ? 1 : 0);
  context.setPrivilegeLevel(ring((vmcs.low(GUEST_SS_ACCESS_RIGHTS) >> 5) & 3));
}

const TARGETS: readonly FieldKey[] = [
  "CR3_TARGET_VALUE0",
  "CR3_TARGET_VALUE1",
  "CR3_TARGET_VALUE2",
  "CR3_TARGET_VALUE3",
];

/** Controls that intercepts read as they are. */
const CONTROLS = new FieldTransfer([
  ["PIN_BASED_CONTROLS", vmx.pin],
  ["PRIMARY_CONTROLS", vmx.primary],
  ["SECONDARY_CONTROLS", vmx.secondary],
  ["VM_EXIT_CONTROLS", vmx.exitControls],
  ["VM_ENTRY_CONTROLS", vmx.entryControls],
  ["EXCEPTION_BITMAP", vmx.exceptionBitmap],
  ["CR0_GUEST_HOST_MASK", vmx.cr0Mask],
  ["CR4_GUEST_HOST_MASK", vmx.cr4Mask],
  ["CR0_READ_SHADOW", vmx.cr0Shadow],
  ["CR4_READ_SHADOW", vmx.cr4Shadow],
  ["IO_BITMAP_A", vmx.ioBitmapA],
  ["IO_BITMAP_B", vmx.ioBitmapB],
  ["MSR_BITMAP", vmx.msrBitmap],
  ["VIRTUAL_APIC_ADDRESS", vmx.virtualApic],
  ["TPR_THRESHOLD", vmx.tprThreshold],
  ["CR3_TARGET_COUNT", vmx.cr3TargetCount],
  ["EPT_POINTER", vmx.eptPointer],
  ...TARGETS.map((key, index): FieldPlace => [
    key,
    { offset: vmx.cr3Targets.offset + index * 8, bytes: 8 },
  ]),
]);

/** Copies the controls to where intercepts look for them. */
export function loadControls(
  state: ProcessorState,
  words: StateWords,
  vmcs: Vmcs,
  { ept }: VmxCapabilities,
): void {
  CONTROLS.load(vmcs.words, words);
  const isActive = (vmcs.low(PRIMARY_CONTROLS) & PRIMARY.ACTIVATE_SECONDARY) !== 0;
  const secondary = isActive ? vmcs.low(SECONDARY_CONTROLS) : 0;
  state.setNumber(vmx.secondary, secondary);
  if ((secondary & SECONDARY.ENABLE_EPT) === 0) state.set(vmx.eptPointer, 0n);
  state.setNumber(vmx.eptAccessedDirty, (state.getNumber(vmx.eptPointer) >> 6) & 1);
  const huge = ept?.hugePages === true ? EPT_MODE.HUGE_PAGES : 0;
  const executeOnly = ept?.executeOnly === true ? EPT_MODE.EXECUTE_ONLY : 0;
  state.setNumber(vmx.eptMode, huge | executeOnly);
  const usesVpid = (secondary & SECONDARY.ENABLE_VPID) !== 0;
  state.setNumber(vmx.vpid, usesVpid ? vmcs.low(VIRTUAL_PROCESSOR_ID) : 0);
}

const CLEARED = [
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
].map(({ offset }) => offset / 4);

/** Clears the controls: nothing is intercepted in root operation. */
export function clearControls({ u32 }: StateWords): void {
  for (const slot of CLEARED) {
    u32[slot] = 0;
    u32[slot + 1] = 0;
  }
}

/** Whether the driver must ask at each boundary: an interrupt or NMI window is waited for. */
export function watchesWindows(state: ProcessorState): boolean {
  const windows = PRIMARY.INTERRUPT_WINDOW_EXITING + PRIMARY.NMI_WINDOW_EXITING;
  return (state.getNumber(vmx.primary) & windows) !== 0;
}
