/**
 * Saving guest state, and loading host state: the two halves of a VM exit.
 *
 * Intel SDM Vol. 3C §28.3, "Saving Guest State"; §28.5, "Loading Host State".
 */
import {
  CR0,
  CR4,
  EFER,
  segmentSlots,
  slots,
  type ExtensionContext,
  type ProcessorState,
} from "@ringside/isa";
import { ENTRY_CONTROL, EXIT_CONTROL } from "./controls.ts";
import { fields, type FieldKey } from "./fields.ts";
import type { StateWords } from "./field-transfer.ts";
import { CR0_KEPT, isLongMode, PLAIN_GUEST_STATE, saveRights } from "./vm-entry-state.ts";
import type { Vmcs, VmcsDraft } from "./vmcs.ts";

const {
  GUEST_ACTIVITY_STATE,
  GUEST_CR0,
  GUEST_DR7,
  GUEST_IA32_EFER,
  GUEST_IA32_PAT,
  GUEST_INTERRUPTIBILITY_STATE,
  GUEST_PENDING_DEBUG_EXCEPTIONS,
  GUEST_RFLAGS,
  HOST_CR0,
  HOST_CR3,
  HOST_CR4,
  HOST_CS_SELECTOR,
  HOST_GDTR_BASE,
  HOST_IA32_EFER,
  HOST_IA32_PAT,
  HOST_IA32_SYSENTER_CS,
  HOST_IA32_SYSENTER_EIP,
  HOST_IA32_SYSENTER_ESP,
  HOST_IDTR_BASE,
  HOST_RIP,
  HOST_RSP,
  HOST_TR_BASE,
  HOST_TR_SELECTOR,
  VM_ENTRY_CONTROLS,
  VM_EXIT_CONTROLS,
} = fields;

/** Pending debug exceptions: BS and B3 to B0 as in DR6, and bit 12, an enabled breakpoint. */
const PENDING_CAUSES = 0x400f;
const BREAKPOINTS = 0xf;
const ENABLED_BREAKPOINT = 0x1000;
const UNUSABLE = 0x1_0000;

/**
 * Saves the guest's registers into the fields of a draft.
 *
 * @param addedFlags What is added to RFLAGS as saved: RF where the exit is a fault's.
 */
export function saveGuestState(
  state: ProcessorState,
  words: StateWords,
  draft: VmcsDraft,
  addedFlags: bigint,
): void {
  const controls = draft.low(VM_EXIT_CONTROLS);
  PLAIN_GUEST_STATE.save(words, draft.words);
  saveRights(words, draft.words);
  draft.setWide(GUEST_CR0, state.cr0);
  if ((controls & EXIT_CONTROL.SAVE_DEBUG_CONTROLS) !== 0)
    draft.setWide(GUEST_DR7, state.get(slots.dr7));
  if ((controls & EXIT_CONTROL.SAVE_PAT) !== 0) draft.setWide(GUEST_IA32_PAT, state.get(slots.pat));
  if ((controls & EXIT_CONTROL.SAVE_EFER) !== 0) draft.setWide(GUEST_IA32_EFER, state.efer);
  draft.setWide(GUEST_RFLAGS, state.rflags | addedFlags);
  const shadow = state.getNumber(slots.interruptShadow);
  draft.set(GUEST_INTERRUPTIBILITY_STATE, shadow | (state.getNumber(slots.nmiBlocked) << 3));
  draft.set(GUEST_ACTIVITY_STATE, state.getNumber(slots.halted));
  // What MOV SS still holds back; other traps come before the boundary at which exits happen.
  const debug = state.getNumber(slots.pendingDebug) & PENDING_CAUSES;
  draft.set(
    GUEST_PENDING_DEBUG_EXCEPTIONS,
    debug | ((debug & BREAKPOINTS) === 0 ? 0 : ENABLED_BREAKPOINT),
  );
  state.setNumber(slots.pendingDebug, 0);
  const entry = draft.low(VM_ENTRY_CONTROLS) & ~ENTRY_CONTROL.IA32E_MODE_GUEST;
  draft.set(VM_ENTRY_CONTROLS, entry | (isLongMode(state) ? ENTRY_CONTROL.IA32E_MODE_GUEST : 0));
}

const HOST_SEGMENTS: readonly (readonly [number, FieldKey, FieldKey | undefined])[] = [
  [0, "HOST_ES_SELECTOR", undefined],
  [2, "HOST_SS_SELECTOR", undefined],
  [3, "HOST_DS_SELECTOR", undefined],
  [4, "HOST_FS_SELECTOR", "HOST_FS_BASE"],
  [5, "HOST_GS_SELECTOR", "HOST_GS_BASE"],
];
const [CS, LDTR, TR] = [1, 6, 7] as const;
const FLAT_LIMIT = 0xffff_ffffn;
const CODE64 = 0xa09b;
const CODE32 = 0xc09b;
const DATA = 0xc093;
const BUSY_TSS = 0x8b;
const TSS_LIMIT = 0x67n;

/** Loads the host's registers: the processor is in root operation, at CPL 0, at HOST_RIP. */
export function loadHostState(context: ExtensionContext, vmcs: Vmcs): void {
  const { state } = context;
  const exits = (bit: number): boolean => (vmcs.low(VM_EXIT_CONTROLS) & bit) !== 0;
  const isLong = exits(EXIT_CONTROL.HOST_ADDRESS_SPACE_SIZE);
  state.set(slots.cr0, (vmcs.read(HOST_CR0) & ~CR0_KEPT) | (state.cr0 & CR0_KEPT) | CR0.ET);
  state.set(slots.cr3, vmcs.read(HOST_CR3));
  const cr4 = vmcs.read(HOST_CR4);
  state.set(slots.cr4, isLong ? cr4 | CR4.PAE : cr4 & ~CR4.PCIDE);
  state.set(slots.dr7, 0x400n);
  state.set(slots.sysenterCs, vmcs.read(HOST_IA32_SYSENTER_CS));
  state.set(slots.sysenterEsp, vmcs.read(HOST_IA32_SYSENTER_ESP));
  state.set(slots.sysenterEip, vmcs.read(HOST_IA32_SYSENTER_EIP));
  const long = EFER.LMA | EFER.LME;
  if (exits(EXIT_CONTROL.LOAD_EFER)) state.set(slots.efer, vmcs.read(HOST_IA32_EFER));
  else state.set(slots.efer, (state.efer & ~long) | (isLong ? long : 0n));
  if (exits(EXIT_CONTROL.LOAD_PAT)) state.set(slots.pat, vmcs.read(HOST_IA32_PAT));
  const load = (
    index: number,
    selector: bigint,
    base: bigint,
    limit: bigint,
    rights: number,
  ): void => {
    const place = segmentSlots(index);
    state.set(place.selector, selector);
    state.set(place.base, base);
    state.set(place.limit, limit);
    state.setNumber(place.attributes, rights);
  };
  load(CS, vmcs.read(HOST_CS_SELECTOR), 0n, FLAT_LIMIT, isLong ? CODE64 : CODE32);
  for (const [index, selectorField, baseField] of HOST_SEGMENTS) {
    const selector = vmcs.get(selectorField);
    const base = baseField === undefined ? 0n : vmcs.get(baseField);
    load(index, selector, base, FLAT_LIMIT, selector === 0n ? DATA | UNUSABLE : DATA);
  }
  load(LDTR, 0n, 0n, 0n, UNUSABLE);
  load(TR, vmcs.read(HOST_TR_SELECTOR), vmcs.read(HOST_TR_BASE), TSS_LIMIT, BUSY_TSS);
  state.set(slots.gdtrBase, vmcs.read(HOST_GDTR_BASE));
  state.set(slots.gdtrLimit, 0xffffn);
  state.set(slots.idtrBase, vmcs.read(HOST_IDTR_BASE));
  state.set(slots.idtrLimit, 0xffffn);
  state.rsp = vmcs.read(HOST_RSP);
  state.rip = vmcs.read(HOST_RIP);
  state.rflags = 2n;
  state.setNumber(slots.interruptShadow, 0);
  state.setNumber(slots.halted, 0);
  context.setPrivilegeLevel(0);
  context.updateMode();
}
