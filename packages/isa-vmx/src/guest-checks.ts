/**
 * Checks on the guest-state area. The failure is a failed VM entry: exit reason 33 with bit 31.
 *
 * Intel SDM Vol. 3C §27.3.1, "Checks on the Guest State Area".
 */
import { CR0, CR4, EFER, isCanonical, RFLAGS } from "@ringside/isa";
import { CR0_FIXED, cr4Fixed } from "./capabilities.ts";
import { ENTRY_CONTROL, PIN, SECONDARY } from "./controls.ts";
import { canonical, isPat, type EntryCheck, type EntryView } from "./entry-check.ts";
import type { FieldKey } from "./fields.ts";
import { isFixed } from "./host-checks.ts";
import { BLOCKING, interruption, TYPE } from "./interruption.ts";
import { isLongGuest, segmentChecks } from "./segment-checks.ts";

const REGISTERS =
  'Intel SDM Vol. 3C §27.3.1.1, "Checks on Guest Control Registers, Debug Registers, and MSRs"';
const TABLES = 'Intel SDM Vol. 3C §27.3.1.3, "Checks on Guest Descriptor-Table Registers"';
const RIP = 'Intel SDM Vol. 3C §27.3.1.4, "Checks on Guest RIP, RFLAGS, and SSP"';
const NON_REGISTER = 'Intel SDM Vol. 3C §27.3.1.5, "Checks on Guest Non-Register State"';
const PDPTES =
  'Intel SDM Vol. 3C §27.3.1.6, "Checks on Guest Page-Directory-Pointer-Table Entries"';

const DEBUGCTL_BTF = 2n;
/** LBR and BTF; what else there is reports branches and freezes counters, which this processor has none of. */
const DEBUGCTL_ALLOWED = 3n;
const PENDING_BS = 0x4000n;

/** Activity states. Intel SDM Vol. 3C §25.4.2, "Guest Non-Register State". */
const ACTIVITY = { ACTIVE: 0, HLT: 1 } as const;

const loadsDebug = (view: EntryView): boolean =>
  view.control("VM_ENTRY_CONTROLS", ENTRY_CONTROL.LOAD_DEBUG_CONTROLS);
const loadsEfer = (view: EntryView): boolean =>
  view.control("VM_ENTRY_CONTROLS", ENTRY_CONTROL.LOAD_EFER);
const injected = (view: EntryView): ReturnType<typeof interruption> =>
  interruption(view.number("VM_ENTRY_INTERRUPTION_INFORMATION"));
const injects = (view: EntryView, type: number): boolean =>
  injected(view).isValid && injected(view).type === type;
const blocks = (view: EntryView, bits: number): boolean =>
  (view.number("GUEST_INTERRUPTIBILITY_STATE") & bits) !== 0;

const registers: readonly EntryCheck[] = [
  {
    name: "guest-cr0-fixed-bits",
    field: "GUEST_CR0",
    reference: REGISTERS,
    expected:
      "not set a bit that VMX operation does not support, and set NE, and PE and PG in a guest that is not unrestricted",
    holds(view) {
      const { mustBeOne, mayBeOne } = CR0_FIXED;
      const freed = view.isUnrestricted ? CR0.PE | CR0.PG : 0n;
      return isFixed(view.get("GUEST_CR0"), { mustBeOne: mustBeOne & ~freed, mayBeOne });
    },
  },
  {
    name: "guest-cr0-paging-unprotected",
    field: "GUEST_CR0",
    reference: REGISTERS,
    expected: "set PE while it sets PG",
    holds: (view) =>
      (view.get("GUEST_CR0") & CR0.PG) === 0n || (view.get("GUEST_CR0") & CR0.PE) !== 0n,
  },
  {
    name: "guest-cr4-fixed-bits",
    field: "GUEST_CR4",
    reference: REGISTERS,
    expected: "not set a bit that the processor does not have, and set VMXE",
    holds: (view) => isFixed(view.get("GUEST_CR4"), cr4Fixed(view.context.cr4Allowed)),
  },
  {
    name: "guest-debugctl",
    field: "GUEST_IA32_DEBUGCTL",
    reference: REGISTERS,
    expected: "have its reserved bits zero while debug controls are loaded",
    holds: (view) =>
      !loadsDebug(view) || (view.get("GUEST_IA32_DEBUGCTL") & ~DEBUGCTL_ALLOWED) === 0n,
  },
  {
    name: "long-guest-paging",
    field: "GUEST_CR4",
    reference: REGISTERS,
    expected: "set PAE (and CR0 PG) in an IA-32e mode guest",
    holds: (view) =>
      !isLongGuest(view) ||
      ((view.get("GUEST_CR0") & CR0.PG) !== 0n && (view.get("GUEST_CR4") & CR4.PAE) !== 0n),
  },
  {
    name: "legacy-guest-pcide",
    field: "GUEST_CR4",
    reference: REGISTERS,
    expected: "have PCIDE 0 outside IA-32e mode",
    holds: (view) => isLongGuest(view) || (view.get("GUEST_CR4") & CR4.PCIDE) === 0n,
  },
  {
    name: "guest-cr3-width",
    field: "GUEST_CR3",
    reference: REGISTERS,
    expected: "have no bits beyond the physical-address width",
    holds: (view) => view.isPhysical(view.get("GUEST_CR3")),
  },
  {
    name: "guest-dr7",
    field: "GUEST_DR7",
    reference: REGISTERS,
    expected: "have bits 63:32 zero while debug controls are loaded",
    holds: (view) => !loadsDebug(view) || view.get("GUEST_DR7") <= 0xffff_ffffn,
  },
  canonical("guest-sysenter-esp", "GUEST_IA32_SYSENTER_ESP", REGISTERS),
  canonical("guest-sysenter-eip", "GUEST_IA32_SYSENTER_EIP", REGISTERS),
  {
    name: "guest-pat",
    field: "GUEST_IA32_PAT",
    reference: REGISTERS,
    expected: "have a memory type in each byte while it is loaded",
    holds: (view) =>
      !view.control("VM_ENTRY_CONTROLS", ENTRY_CONTROL.LOAD_PAT) ||
      isPat(view.get("GUEST_IA32_PAT")),
  },
  {
    name: "guest-efer-reserved",
    field: "GUEST_IA32_EFER",
    reference: REGISTERS,
    expected: "have its reserved bits zero while it is loaded",
    holds: (view) =>
      !loadsEfer(view) ||
      (view.get("GUEST_IA32_EFER") & ~(view.context.eferAllowed | EFER.LMA)) === 0n,
  },
  {
    name: "guest-efer-lma",
    field: "GUEST_IA32_EFER",
    reference: REGISTERS,
    expected: "have LMA equal to the IA-32e mode guest control while it is loaded",
    holds: (view) =>
      !loadsEfer(view) || ((view.get("GUEST_IA32_EFER") & EFER.LMA) !== 0n) === isLongGuest(view),
  },
  {
    name: "guest-efer-lme",
    field: "GUEST_IA32_EFER",
    reference: REGISTERS,
    expected: "have LME equal to LMA while it is loaded and CR0.PG is 1",
    holds(view) {
      if (!loadsEfer(view) || (view.get("GUEST_CR0") & CR0.PG) === 0n) return true;
      const efer = view.get("GUEST_IA32_EFER");
      return ((efer & EFER.LME) !== 0n) === ((efer & EFER.LMA) !== 0n);
    },
  },
];

function tableLimit(name: string, field: FieldKey): EntryCheck {
  return {
    name,
    field,
    reference: TABLES,
    expected: "have bits 31:16 zero",
    holds: (view) => view.number(field) <= 0xffff,
  };
}

const tables: readonly EntryCheck[] = [
  canonical("guest-gdtr-base", "GUEST_GDTR_BASE", TABLES),
  canonical("guest-idtr-base", "GUEST_IDTR_BASE", TABLES),
  tableLimit("guest-gdtr-limit", "GUEST_GDTR_LIMIT"),
  tableLimit("guest-idtr-limit", "GUEST_IDTR_LIMIT"),
];

const CS_LONG = 0x2000;

const instructionPointer: readonly EntryCheck[] = [
  {
    name: "guest-rip",
    field: "GUEST_RIP",
    reference: RIP,
    expected: "be canonical, and below 4 GBytes outside 64-bit code",
    holds: (view) =>
      isLongGuest(view) && view.control("GUEST_CS_ACCESS_RIGHTS", CS_LONG)
        ? isCanonical(view.get("GUEST_RIP"))
        : view.get("GUEST_RIP") <= 0xffff_ffffn,
  },
  {
    name: "guest-rflags-reserved",
    field: "GUEST_RFLAGS",
    reference: RIP,
    expected: "have bits 63:22, 15, 5 and 3 zero, and bit 1 one",
    holds: (view) =>
      (view.get("GUEST_RFLAGS") & 0xffff_ffff_ffc0_8028n) === 0n &&
      (view.get("GUEST_RFLAGS") & 2n) !== 0n,
  },
  {
    name: "guest-rflags-vm",
    field: "GUEST_RFLAGS",
    reference: RIP,
    expected: "have VM 0 in an IA-32e mode guest and outside protected mode",
    holds: (view) =>
      (view.get("GUEST_RFLAGS") & RFLAGS.VM) === 0n ||
      (!isLongGuest(view) && (view.get("GUEST_CR0") & 1n) !== 0n),
  },
  {
    name: "guest-rflags-if",
    field: "GUEST_RFLAGS",
    reference: RIP,
    expected: "have IF 1 when an external interrupt is injected",
    holds: (view) =>
      !injects(view, TYPE.EXTERNAL_INTERRUPT) || (view.get("GUEST_RFLAGS") & RFLAGS.IF) !== 0n,
  },
];

/** Whether an event can be injected into a processor in HLT. */
function wakesFromHlt(view: EntryView): boolean {
  const { type, vector } = injected(view);
  if (type === TYPE.EXTERNAL_INTERRUPT || type === TYPE.NMI) return true;
  if (type === TYPE.HARDWARE_EXCEPTION) return vector === 1 || vector === 18;
  return type === TYPE.OTHER && vector === 0;
}

const nonRegister: readonly EntryCheck[] = [
  {
    name: "activity-state",
    field: "GUEST_ACTIVITY_STATE",
    reference: NON_REGISTER,
    expected: "be an activity state that IA32_VMX_MISC reports: 0 (active), or 1 (HLT)",
    holds(view) {
      const activity = view.number("GUEST_ACTIVITY_STATE");
      return (
        activity === ACTIVITY.ACTIVE ||
        (activity === ACTIVITY.HLT && view.context.capabilities.haltActivity)
      );
    },
  },
  {
    name: "halted-outside-ring-0",
    field: "GUEST_ACTIVITY_STATE",
    reference: NON_REGISTER,
    expected: "not be HLT while the DPL of SS is not 0",
    holds: (view) =>
      view.number("GUEST_ACTIVITY_STATE") !== ACTIVITY.HLT ||
      (view.number("GUEST_SS_ACCESS_RIGHTS") & 0x60) === 0,
  },
  {
    name: "halted-in-interrupt-shadow",
    field: "GUEST_ACTIVITY_STATE",
    reference: NON_REGISTER,
    expected: "be active while interruptibility indicates blocking by STI or MOV SS",
    holds: (view) =>
      view.number("GUEST_ACTIVITY_STATE") === ACTIVITY.ACTIVE ||
      !blocks(view, BLOCKING.STI | BLOCKING.MOV_SS),
  },
  {
    name: "injection-while-halted",
    field: "GUEST_ACTIVITY_STATE",
    reference: NON_REGISTER,
    expected: "not be HLT when the injected event is not one that HLT wakes for",
    holds: (view) =>
      view.number("GUEST_ACTIVITY_STATE") !== ACTIVITY.HLT ||
      !injected(view).isValid ||
      wakesFromHlt(view),
  },
  {
    name: "interruptibility-reserved",
    field: "GUEST_INTERRUPTIBILITY_STATE",
    reference: NON_REGISTER,
    expected: "have bits 31:4 zero",
    holds: (view) => view.number("GUEST_INTERRUPTIBILITY_STATE") <= 0xf,
  },
  {
    name: "interruptibility-both-shadows",
    field: "GUEST_INTERRUPTIBILITY_STATE",
    reference: NON_REGISTER,
    expected: "not have blocking by STI and by MOV SS at once",
    holds: (view) => !(blocks(view, BLOCKING.STI) && blocks(view, BLOCKING.MOV_SS)),
  },
  {
    name: "interruptibility-sti-without-if",
    field: "GUEST_INTERRUPTIBILITY_STATE",
    reference: NON_REGISTER,
    expected: "have blocking by STI 0 while RFLAGS.IF is 0",
    holds: (view) => !blocks(view, BLOCKING.STI) || (view.get("GUEST_RFLAGS") & RFLAGS.IF) !== 0n,
  },
  {
    name: "interruptibility-injected-interrupt",
    field: "GUEST_INTERRUPTIBILITY_STATE",
    reference: NON_REGISTER,
    expected: "have no blocking by STI or MOV SS when an external interrupt is injected",
    holds: (view) =>
      !injects(view, TYPE.EXTERNAL_INTERRUPT) || !blocks(view, BLOCKING.STI | BLOCKING.MOV_SS),
  },
  {
    name: "interruptibility-injected-nmi",
    field: "GUEST_INTERRUPTIBILITY_STATE",
    reference: NON_REGISTER,
    expected: "have no blocking by MOV SS when an NMI is injected",
    holds: (view) => !injects(view, TYPE.NMI) || !blocks(view, BLOCKING.MOV_SS),
  },
  {
    name: "interruptibility-smi",
    field: "GUEST_INTERRUPTIBILITY_STATE",
    reference: NON_REGISTER,
    expected: "have blocking by SMI 0 outside SMM",
    holds: (view) => !blocks(view, BLOCKING.SMI),
  },
  {
    name: "interruptibility-virtual-nmi",
    field: "GUEST_INTERRUPTIBILITY_STATE",
    reference: NON_REGISTER,
    expected: "have no blocking by NMI when an NMI is injected with virtual NMIs",
    holds: (view) =>
      !injects(view, TYPE.NMI) ||
      !view.control("PIN_BASED_CONTROLS", PIN.VIRTUAL_NMIS) ||
      !blocks(view, BLOCKING.NMI),
  },
  {
    name: "pending-debug-reserved",
    field: "GUEST_PENDING_DEBUG_EXCEPTIONS",
    reference: NON_REGISTER,
    expected: "have bits 11:4, 13 and 63:15 zero",
    holds: (view) => (view.get("GUEST_PENDING_DEBUG_EXCEPTIONS") & ~0x500fn) === 0n,
  },
  {
    name: "pending-debug-single-step",
    field: "GUEST_PENDING_DEBUG_EXCEPTIONS",
    reference: NON_REGISTER,
    expected: "have BS as RFLAGS.TF (without BTF) in an interrupt shadow or in HLT",
    holds(view) {
      const isHeld =
        blocks(view, BLOCKING.STI | BLOCKING.MOV_SS) ||
        view.number("GUEST_ACTIVITY_STATE") === ACTIVITY.HLT;
      if (!isHeld) return true;
      const steps =
        (view.get("GUEST_RFLAGS") & RFLAGS.TF) !== 0n &&
        (view.get("GUEST_IA32_DEBUGCTL") & DEBUGCTL_BTF) === 0n;
      return ((view.get("GUEST_PENDING_DEBUG_EXCEPTIONS") & PENDING_BS) !== 0n) === steps;
    },
  },
  {
    name: "vmcs-link-pointer",
    field: "VMCS_LINK_POINTER",
    reference: NON_REGISTER,
    expected: "be all ones: there are no shadow VMCSs",
    qualification: 4n,
    // A region with the processor's own revision identifier is the only other value that the manual allows.
    holds(view) {
      const pointer = view.get("VMCS_LINK_POINTER");
      if (pointer === 0xffff_ffff_ffff_ffffn) return true;
      return (
        view.isPhysical(pointer, 0x1000n) &&
        view.memory.readU32(Number(pointer)) === view.context.capabilities.revision
      );
    },
  },
  {
    name: "vmcs-link-pointer-current",
    field: "VMCS_LINK_POINTER",
    reference: NON_REGISTER,
    expected: "not point to the current VMCS",
    qualification: 4n,
    // Which VMCS that is can change while no field does.
    holds: (view) =>
      view.get("VMCS_LINK_POINTER") === 0xffff_ffff_ffff_ffffn ||
      view.get("VMCS_LINK_POINTER") !== view.currentRegion,
  },
];

const PDPTE_FIELDS = ["GUEST_PDPTE0", "GUEST_PDPTE1", "GUEST_PDPTE2", "GUEST_PDPTE3"] as const;
/** Bits 2:1 and 8:5 of a PDPTE are reserved under PAE paging. */
const PDPTE_RESERVED = 0x1e6n;

const pointers: readonly EntryCheck[] = PDPTE_FIELDS.map((field, index) => ({
  name: `guest-pdpte${index}`,
  field,
  reference: PDPTES,
  expected: "have its reserved bits zero while it is present, under PAE paging",
  qualification: 2n,
  holds(view) {
    const isPae =
      (view.get("GUEST_CR0") & CR0.PG) !== 0n &&
      (view.get("GUEST_CR4") & CR4.PAE) !== 0n &&
      !isLongGuest(view);
    if (!isPae) return true;
    const table = Number(view.get("GUEST_CR3") & 0xffff_ffe0n);
    const entry = view.hasSecondary(SECONDARY.ENABLE_EPT)
      ? view.get(field)
      : view.memory.readU64(table + index * 8);
    const reserved = PDPTE_RESERVED | view.context.physicalReserved;
    return (entry & 1n) === 0n || (entry & reserved) === 0n;
  },
}));

export const guestChecks: readonly EntryCheck[] = [
  ...registers,
  ...segmentChecks,
  ...tables,
  ...instructionPointer,
  ...nonRegister,
  ...pointers,
];
