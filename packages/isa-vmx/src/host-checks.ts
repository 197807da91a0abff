/**
 * Checks on the host-state area. The failure is VMfailValid 8.
 *
 * Intel SDM Vol. 3C §27.2.2, "Checks on Host Control Registers, MSRs, and SSP"; §27.2.3, "Checks on Host Segment and
 * Descriptor-Table Registers"; §27.2.4, "Checks Related to Address-Space Size".
 */
import { CR4, EFER, isCanonical } from "@ringside/isa";
import { CR0_FIXED, cr4Fixed, type FixedBits } from "./capabilities.ts";
import { ENTRY_CONTROL, EXIT_CONTROL } from "./controls.ts";
import { canonical, isPat, type EntryCheck, type EntryView } from "./entry-check.ts";
import type { FieldKey } from "./fields.ts";

const REGISTERS = 'Intel SDM Vol. 3C §27.2.2, "Checks on Host Control Registers, MSRs, and SSP"';
const SEGMENTS =
  'Intel SDM Vol. 3C §27.2.3, "Checks on Host Segment and Descriptor-Table Registers"';
const ADDRESS_SPACE = 'Intel SDM Vol. 3C §27.2.4, "Checks Related to Address-Space Size"';

/** Whether a value has the bits that VMX operation fixes. */
export function isFixed(value: bigint, { mustBeOne, mayBeOne }: FixedBits): boolean {
  return (~value & mustBeOne) === 0n && (value & ~mayBeOne) === 0n;
}

const isLongHost = (view: EntryView): boolean =>
  view.control("VM_EXIT_CONTROLS", EXIT_CONTROL.HOST_ADDRESS_SPACE_SIZE);

const SELECTORS: readonly FieldKey[] = [
  "HOST_ES_SELECTOR",
  "HOST_CS_SELECTOR",
  "HOST_SS_SELECTOR",
  "HOST_DS_SELECTOR",
  "HOST_FS_SELECTOR",
  "HOST_GS_SELECTOR",
  "HOST_TR_SELECTOR",
];

function kebab(field: FieldKey): string {
  return field.toLowerCase().replaceAll("_", "-");
}

export const hostChecks: readonly EntryCheck[] = [
  {
    name: "host-cr0-fixed-bits",
    field: "HOST_CR0",
    reference: REGISTERS,
    expected: "not set a bit that VMX operation does not support, and set PE, NE and PG",
    holds: (view) => isFixed(view.get("HOST_CR0"), CR0_FIXED),
  },
  {
    name: "host-cr4-fixed-bits",
    field: "HOST_CR4",
    reference: REGISTERS,
    expected: "not set a bit that the processor does not have, and set VMXE",
    holds: (view) => isFixed(view.get("HOST_CR4"), cr4Fixed(view.context.cr4Allowed)),
  },
  {
    name: "host-cr3-width",
    field: "HOST_CR3",
    reference: REGISTERS,
    expected: "have no bits beyond the physical-address width",
    holds: (view) => view.isPhysical(view.get("HOST_CR3")),
  },
  canonical("host-sysenter-esp", "HOST_IA32_SYSENTER_ESP", REGISTERS),
  canonical("host-sysenter-eip", "HOST_IA32_SYSENTER_EIP", REGISTERS),
  {
    name: "host-pat",
    field: "HOST_IA32_PAT",
    reference: REGISTERS,
    expected: "have a memory type in each byte while it is loaded",
    holds: (view) =>
      !view.control("VM_EXIT_CONTROLS", EXIT_CONTROL.LOAD_PAT) || isPat(view.get("HOST_IA32_PAT")),
  },
  {
    name: "host-efer-reserved",
    field: "HOST_IA32_EFER",
    reference: REGISTERS,
    expected: "have its reserved bits zero while it is loaded",
    holds: (view) =>
      !view.control("VM_EXIT_CONTROLS", EXIT_CONTROL.LOAD_EFER) ||
      (view.get("HOST_IA32_EFER") & ~(view.context.eferAllowed | EFER.LMA)) === 0n,
  },
  {
    name: "host-efer-long-mode",
    field: "HOST_IA32_EFER",
    reference: REGISTERS,
    expected: "have LMA and LME equal to the host address-space size control while it is loaded",
    holds(view) {
      if (!view.control("VM_EXIT_CONTROLS", EXIT_CONTROL.LOAD_EFER)) return true;
      const both = isLongHost(view) ? EFER.LMA | EFER.LME : 0n;
      return (view.get("HOST_IA32_EFER") & (EFER.LMA | EFER.LME)) === both;
    },
  },
  ...SELECTORS.map((field): EntryCheck => ({
    name: `${kebab(field)}-rpl`,
    field,
    reference: SEGMENTS,
    expected: "have RPL and TI 0",
    holds: (view) => (view.number(field) & 7) === 0,
  })),
  {
    name: "host-cs-null",
    field: "HOST_CS_SELECTOR",
    reference: SEGMENTS,
    expected: "not be 0000H",
    holds: (view) => view.number("HOST_CS_SELECTOR") !== 0,
  },
  {
    name: "host-tr-null",
    field: "HOST_TR_SELECTOR",
    reference: SEGMENTS,
    expected: "not be 0000H",
    holds: (view) => view.number("HOST_TR_SELECTOR") !== 0,
  },
  {
    name: "host-ss-null",
    field: "HOST_SS_SELECTOR",
    reference: SEGMENTS,
    expected: "not be 0000H while the host address-space size is 0",
    holds: (view) => isLongHost(view) || view.number("HOST_SS_SELECTOR") !== 0,
  },
  canonical("host-fs-base", "HOST_FS_BASE", SEGMENTS),
  canonical("host-gs-base", "HOST_GS_BASE", SEGMENTS),
  canonical("host-gdtr-base", "HOST_GDTR_BASE", SEGMENTS),
  canonical("host-idtr-base", "HOST_IDTR_BASE", SEGMENTS),
  canonical("host-tr-base", "HOST_TR_BASE", SEGMENTS),
  {
    name: "host-address-space-size",
    field: "VM_EXIT_CONTROLS",
    reference: ADDRESS_SPACE,
    expected: "have the host address-space size equal to IA32_EFER.LMA at VM entry",
    holds: (view) => isLongHost(view) === view.rootIsLong,
  },
  {
    name: "long-guest-of-legacy-host",
    field: "VM_ENTRY_CONTROLS",
    reference: ADDRESS_SPACE,
    expected: "have IA-32e mode guest 0 while the host address-space size is 0",
    holds: (view) =>
      isLongHost(view) || !view.control("VM_ENTRY_CONTROLS", ENTRY_CONTROL.IA32E_MODE_GUEST),
  },
  {
    name: "host-cr4-pcide",
    field: "HOST_CR4",
    reference: ADDRESS_SPACE,
    expected: "have PCIDE 0 while the host address-space size is 0",
    holds: (view) => isLongHost(view) || (view.get("HOST_CR4") & CR4.PCIDE) === 0n,
  },
  {
    name: "host-cr4-pae",
    field: "HOST_CR4",
    reference: ADDRESS_SPACE,
    expected: "have PAE 1 while the host address-space size is 1",
    holds: (view) => !isLongHost(view) || (view.get("HOST_CR4") & CR4.PAE) !== 0n,
  },
  {
    name: "host-rip",
    field: "HOST_RIP",
    reference: ADDRESS_SPACE,
    expected: "be canonical, and below 4 GBytes while the host address-space size is 0",
    holds: (view) =>
      isLongHost(view) ? isCanonical(view.get("HOST_RIP")) : view.get("HOST_RIP") <= 0xffff_ffffn,
  },
];
