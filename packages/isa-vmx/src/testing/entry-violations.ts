/**
 * A violation of each check of VM entry: what changes a valid VMCS so that just that check does not hold.
 *
 * Intel SDM Vol. 3C §27.2, "Checks on VMX Controls and Host-State Area"; §27.3.1, "Checks on the Guest State Area".
 */
import { ENTRY_CONTROL, EXIT_CONTROL, PIN, PRIMARY, SECONDARY } from "../controls.ts";
import type { FieldKey } from "../fields.ts";
import { HOST, type GuestBench } from "./guest-bench.ts";

/** By the name of the check. */
export type Violations = Readonly<Record<string, Violation>>;

type Violation = (bench: GuestBench) => void;

const NON_CANONICAL = 0x8000_0000_0000n;
const WIDE = 1n << 45n;

const set =
  (field: FieldKey, value: bigint | number): Violation =>
  (bench) =>
    bench.set(field, value);
export const flip =
  (field: FieldKey, bits: bigint | number): Violation =>
  (bench) =>
    bench.set(field, bench.get(field) ^ BigInt(bits));

const tpr: Violation = (bench) => bench.enable("PRIMARY_CONTROLS", PRIMARY.USE_TPR_SHADOW);
const io: Violation = (bench) => bench.enable("PRIMARY_CONTROLS", PRIMARY.USE_IO_BITMAPS);
/** Valid, with an interruption type, a vector and perhaps an error code. */
const inject = (type: number, vector: number, more = 0): Violation =>
  set("VM_ENTRY_INTERRUPTION_INFORMATION", 0x8000_0000 + (type << 8) + vector + more);
const both =
  (...violations: readonly Violation[]): Violation =>
  (bench) => {
    for (const violation of violations) violation(bench);
  };
const loads =
  (field: "VM_EXIT_CONTROLS" | "VM_ENTRY_CONTROLS", bit: number): Violation =>
  (bench) =>
    bench.enable(field, bit);
const area = (field: FieldKey, count: FieldKey): Violation =>
  both(set(field, HOST.msrArea + 8), set(count, 1));

export const controlViolations: Violations = {
  "pin-based-controls": set("PIN_BASED_CONTROLS", 0),
  "primary-controls": flip("PRIMARY_CONTROLS", 2),
  "secondary-controls": flip("SECONDARY_CONTROLS", 1),
  "cr3-target-count": set("CR3_TARGET_COUNT", 5),
  "io-bitmap-a": both(io, set("IO_BITMAP_A", HOST.ioBitmapA + 8)),
  "io-bitmap-b": both(io, set("IO_BITMAP_B", WIDE)),
  "msr-bitmap": set("MSR_BITMAP", HOST.msrBitmap + 1),
  "virtual-apic-address": both(tpr, set("VIRTUAL_APIC_ADDRESS", HOST.virtualApic + 8)),
  "tpr-threshold-reserved": both(tpr, set("TPR_THRESHOLD", 0x10)),
  "tpr-threshold-above-vtpr": both(tpr, set("TPR_THRESHOLD", 3)),
  "virtual-nmis-without-nmi-exiting": (bench) => {
    bench.disable("PIN_BASED_CONTROLS", PIN.NMI_EXITING);
    bench.enable("PIN_BASED_CONTROLS", PIN.VIRTUAL_NMIS);
  },
  "nmi-window-without-virtual-nmis": (bench) =>
    bench.enable("PRIMARY_CONTROLS", PRIMARY.NMI_WINDOW_EXITING),
  "unrestricted-guest-without-ept": (bench) => {
    bench.enable("SECONDARY_CONTROLS", SECONDARY.UNRESTRICTED_GUEST);
    bench.disable("SECONDARY_CONTROLS", SECONDARY.ENABLE_EPT);
  },
  "vpid-zero": set("VIRTUAL_PROCESSOR_ID", 0),
  "ept-memory-type": flip("EPT_POINTER", 1),
  "ept-walk-length": flip("EPT_POINTER", 0x20),
  "ept-accessed-dirty": flip("EPT_POINTER", 0x40),
  "ept-reserved": flip("EPT_POINTER", 0x80),
  "exit-controls": flip("VM_EXIT_CONTROLS", 1),
  "save-timer-without-timer": (bench) =>
    bench.enable("VM_EXIT_CONTROLS", EXIT_CONTROL.SAVE_PREEMPTION_TIMER),
  "exit-msr-store": area("VM_EXIT_MSR_STORE_ADDRESS", "VM_EXIT_MSR_STORE_COUNT"),
  "exit-msr-load": area("VM_EXIT_MSR_LOAD_ADDRESS", "VM_EXIT_MSR_LOAD_COUNT"),
  "entry-controls": flip("VM_ENTRY_CONTROLS", 1),
  "injection-type": inject(1, 0x20),
  "injection-vector": inject(2, 3),
  "injection-error-code": inject(3, 13),
  "injection-reserved": inject(3, 6, 0x1000),
  "injection-error-code-reserved": both(
    inject(3, 13, 0x800),
    set("VM_ENTRY_EXCEPTION_ERROR_CODE", 0x1_0000),
  ),
  "injection-instruction-length": both(inject(4, 0x80), set("VM_ENTRY_INSTRUCTION_LENGTH", 16)),
  "entry-msr-load": area("VM_ENTRY_MSR_LOAD_ADDRESS", "VM_ENTRY_MSR_LOAD_COUNT"),
};

const loadHostEfer = loads("VM_EXIT_CONTROLS", EXIT_CONTROL.LOAD_EFER);
export const hostViolations: Violations = {
  "host-cr0-fixed-bits": flip("HOST_CR0", 0x20),
  "host-cr4-fixed-bits": flip("HOST_CR4", 0x2000),
  "host-cr3-width": set("HOST_CR3", WIDE),
  "host-sysenter-esp": set("HOST_IA32_SYSENTER_ESP", NON_CANONICAL),
  "host-sysenter-eip": set("HOST_IA32_SYSENTER_EIP", NON_CANONICAL),
  "host-pat": both(loads("VM_EXIT_CONTROLS", EXIT_CONTROL.LOAD_PAT), set("HOST_IA32_PAT", 2)),
  "host-efer-reserved": both(loadHostEfer, flip("HOST_IA32_EFER", 2)),
  "host-efer-long-mode": both(loadHostEfer, flip("HOST_IA32_EFER", 0x400)),
  ...Object.fromEntries(
    (["ES", "CS", "SS", "DS", "FS", "GS", "TR"] as const).map((name) => [
      `host-${name.toLowerCase()}-selector-rpl`,
      flip(`HOST_${name}_SELECTOR`, 4),
    ]),
  ),
  "host-cs-null": set("HOST_CS_SELECTOR", 0),
  "host-tr-null": set("HOST_TR_SELECTOR", 0),
  "host-fs-base": set("HOST_FS_BASE", NON_CANONICAL),
  "host-gs-base": set("HOST_GS_BASE", NON_CANONICAL),
  "host-gdtr-base": set("HOST_GDTR_BASE", NON_CANONICAL),
  "host-idtr-base": set("HOST_IDTR_BASE", NON_CANONICAL),
  "host-tr-base": set("HOST_TR_BASE", NON_CANONICAL),
  "host-ss-null": (bench) => {
    bench.set("HOST_SS_SELECTOR", 0);
    bench.disable("VM_EXIT_CONTROLS", EXIT_CONTROL.HOST_ADDRESS_SPACE_SIZE);
  },
  "host-address-space-size": (bench) =>
    bench.disable("VM_EXIT_CONTROLS", EXIT_CONTROL.HOST_ADDRESS_SPACE_SIZE),
  "host-cr4-pae": flip("HOST_CR4", 0x20),
  "host-rip": set("HOST_RIP", NON_CANONICAL),
};

const loadEfer = loads("VM_ENTRY_CONTROLS", ENTRY_CONTROL.LOAD_EFER);
const loadDebug = loads("VM_ENTRY_CONTROLS", ENTRY_CONTROL.LOAD_DEBUG_CONTROLS);
const DATA = ["SS", "DS", "ES", "FS", "GS"] as const;
/** A guest in protected mode without IA-32e mode. */
const legacy: Violation = (bench) => {
  bench.disable("VM_ENTRY_CONTROLS", ENTRY_CONTROL.IA32E_MODE_GUEST);
  bench.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b);
};
const FLAG_VM = 0x2_0000n;
/** A guest in virtual-8086 mode, valid in everything. */
export const virtual8086: Violation = (bench) => {
  legacy(bench);
  bench.set("GUEST_RFLAGS", 2n | FLAG_VM);
  for (const name of ["CS", ...DATA] as const) {
    bench.set(`GUEST_${name}_SELECTOR`, 0x10);
    bench.set(`GUEST_${name}_BASE`, 0x100);
    bench.set(`GUEST_${name}_LIMIT`, 0xffff);
    bench.set(`GUEST_${name}_ACCESS_RIGHTS`, 0xf3);
  }
};
const unrestricted: Violation = (bench) =>
  bench.enable("SECONDARY_CONTROLS", SECONDARY.UNRESTRICTED_GUEST);
/** A guest in real mode, valid in everything. Its data segments are as RESET leaves them. */
export const realMode: Violation = (bench) => {
  unrestricted(bench);
  bench.disable("VM_ENTRY_CONTROLS", ENTRY_CONTROL.IA32E_MODE_GUEST);
  bench.set("GUEST_CR0", 0x20);
  bench.set("GUEST_CR4", 0x2000);
  for (const name of ["CS", ...DATA] as const) {
    bench.set(`GUEST_${name}_SELECTOR`, 0x1003);
    bench.set(`GUEST_${name}_BASE`, 0x1_0030);
    bench.set(`GUEST_${name}_LIMIT`, 0xffff);
    bench.set(`GUEST_${name}_ACCESS_RIGHTS`, 0x93);
  }
};
const halted = set("GUEST_ACTIVITY_STATE", 1);

export const guestViolations: Violations = {
  "guest-cr0-fixed-bits": flip("GUEST_CR0", 0x20),
  "guest-cr0-paging-unprotected": both(unrestricted, flip("GUEST_CR0", 1)),
  "guest-cr4-fixed-bits": flip("GUEST_CR4", 0x2000),
  "guest-debugctl": both(loadDebug, set("GUEST_IA32_DEBUGCTL", 4)),
  "long-guest-paging": flip("GUEST_CR4", 0x20),
  "guest-cr3-width": set("GUEST_CR3", WIDE),
  "guest-dr7": both(loadDebug, set("GUEST_DR7", 0x1_0000_0400n)),
  "guest-sysenter-esp": set("GUEST_IA32_SYSENTER_ESP", NON_CANONICAL),
  "guest-sysenter-eip": set("GUEST_IA32_SYSENTER_EIP", NON_CANONICAL),
  "guest-pat": both(loads("VM_ENTRY_CONTROLS", ENTRY_CONTROL.LOAD_PAT), set("GUEST_IA32_PAT", 3)),
  "guest-efer-reserved": both(loadEfer, flip("GUEST_IA32_EFER", 2)),
  "guest-efer-lma": both(loadEfer, set("GUEST_IA32_EFER", 0)),
  "guest-efer-lme": both(loadEfer, flip("GUEST_IA32_EFER", 0x100)),
  "guest-tr-ti": flip("GUEST_TR_SELECTOR", 4),
  "guest-ldtr-ti": both(set("GUEST_LDTR_ACCESS_RIGHTS", 0x82), set("GUEST_LDTR_SELECTOR", 4)),
  "guest-ss-rpl": flip("GUEST_SS_SELECTOR", 3),
  ...Object.fromEntries(
    (["CS", ...DATA] as const).flatMap((name) => [
      [`v8086-${name.toLowerCase()}-base`, both(virtual8086, set(`GUEST_${name}_BASE`, 0x110))],
      [`v8086-${name.toLowerCase()}-limit`, both(virtual8086, set(`GUEST_${name}_LIMIT`, 0xfffe))],
      [
        `v8086-${name.toLowerCase()}-rights`,
        both(virtual8086, set(`GUEST_${name}_ACCESS_RIGHTS`, 0x93)),
      ],
    ]),
  ),
  "guest-tr-base": set("GUEST_TR_BASE", NON_CANONICAL),
  "guest-fs-base": set("GUEST_FS_BASE", NON_CANONICAL),
  "guest-gs-base": set("GUEST_GS_BASE", NON_CANONICAL),
  "guest-ldtr-base": both(
    set("GUEST_LDTR_ACCESS_RIGHTS", 0x82),
    set("GUEST_LDTR_BASE", NON_CANONICAL),
  ),
  "guest-cs-base": set("GUEST_CS_BASE", 0x1_0000_0000n),
  "guest-ss-base": set("GUEST_SS_BASE", 0x1_0000_0000n),
  "guest-ds-base": set("GUEST_DS_BASE", 0x1_0000_0000n),
  "guest-es-base": set("GUEST_ES_BASE", 0x1_0000_0000n),
  "guest-cs-type": set("GUEST_CS_ACCESS_RIGHTS", 0xa09a),
  "guest-ss-type": set("GUEST_SS_ACCESS_RIGHTS", 0xc091),
  ...Object.fromEntries(
    (["DS", "ES", "FS", "GS"] as const).flatMap((name) => [
      [`guest-${name.toLowerCase()}-type`, set(`GUEST_${name}_ACCESS_RIGHTS`, 0xc092)],
      [`guest-${name.toLowerCase()}-dpl`, set(`GUEST_${name}_SELECTOR`, 0x13)],
    ]),
  ),
  "guest-cs-dpl": set("GUEST_CS_ACCESS_RIGHTS", 0xa0fb),
  // CS is the data segment of a guest that has left real mode: protection comes with DPL 0.
  "guest-ss-dpl-real-mode": both(
    unrestricted,
    legacy,
    set("GUEST_CS_ACCESS_RIGHTS", 0xc093),
    set("GUEST_SS_ACCESS_RIGHTS", 0xc0f3),
  ),
  "guest-ss-dpl": both(
    set("GUEST_SS_ACCESS_RIGHTS", 0xc0f3),
    set("GUEST_CS_ACCESS_RIGHTS", 0xa0fb),
  ),
  ...Object.fromEntries(
    (["CS", ...DATA] as const).flatMap((name) => [
      [`guest-${name.toLowerCase()}-s`, flip(`GUEST_${name}_ACCESS_RIGHTS`, 0x10)],
      [`guest-${name.toLowerCase()}-present`, flip(`GUEST_${name}_ACCESS_RIGHTS`, 0x80)],
      [`guest-${name.toLowerCase()}-reserved`, flip(`GUEST_${name}_ACCESS_RIGHTS`, 0x100)],
      [`guest-${name.toLowerCase()}-granularity`, set(`GUEST_${name}_LIMIT`, 0xffff_0000)],
    ]),
  ),
  "guest-cs-long-and-big": flip("GUEST_CS_ACCESS_RIGHTS", 0x4000),
  "guest-tr-type": set("GUEST_TR_ACCESS_RIGHTS", 0x83),
  "guest-tr-usable": set("GUEST_TR_ACCESS_RIGHTS", 0x1_008b),
  "guest-tr-s": flip("GUEST_TR_ACCESS_RIGHTS", 0x10),
  "guest-tr-present": flip("GUEST_TR_ACCESS_RIGHTS", 0x80),
  "guest-tr-reserved": flip("GUEST_TR_ACCESS_RIGHTS", 0x100),
  "guest-tr-granularity": flip("GUEST_TR_ACCESS_RIGHTS", 0x8000),
  "guest-ldtr-type": set("GUEST_LDTR_ACCESS_RIGHTS", 0x83),
  "guest-ldtr-s": set("GUEST_LDTR_ACCESS_RIGHTS", 0x92),
  "guest-ldtr-present": set("GUEST_LDTR_ACCESS_RIGHTS", 0x02),
  "guest-ldtr-reserved": set("GUEST_LDTR_ACCESS_RIGHTS", 0x182),
  "guest-ldtr-granularity": set("GUEST_LDTR_ACCESS_RIGHTS", 0x8082),
  "guest-gdtr-base": set("GUEST_GDTR_BASE", NON_CANONICAL),
  "guest-idtr-base": set("GUEST_IDTR_BASE", NON_CANONICAL),
  "guest-gdtr-limit": set("GUEST_GDTR_LIMIT", 0x1_0000),
  "guest-idtr-limit": set("GUEST_IDTR_LIMIT", 0x1_0000),
  "guest-rip": set("GUEST_RIP", NON_CANONICAL),
  "guest-rflags-reserved": set("GUEST_RFLAGS", 0),
  "guest-rflags-vm": (bench) => {
    virtual8086(bench);
    bench.enable("VM_ENTRY_CONTROLS", ENTRY_CONTROL.IA32E_MODE_GUEST);
  },
  "guest-rflags-if": inject(0, 0x20),
  "activity-state": set("GUEST_ACTIVITY_STATE", 2),
  "halted-outside-ring-0": (bench) => {
    for (const [name, rights, selector] of [
      ["CS", 0xa0fb, 0x0b],
      ["SS", 0xc0f3, 0x13],
    ] as const) {
      bench.set(`GUEST_${name}_ACCESS_RIGHTS`, rights);
      bench.set(`GUEST_${name}_SELECTOR`, selector);
    }
    halted(bench);
  },
  "halted-in-interrupt-shadow": both(halted, set("GUEST_INTERRUPTIBILITY_STATE", 2)),
  "injection-while-halted": both(halted, inject(3, 6)),
  "interruptibility-reserved": set("GUEST_INTERRUPTIBILITY_STATE", 0x20),
  "interruptibility-both-shadows": both(
    set("GUEST_RFLAGS", 0x202),
    set("GUEST_INTERRUPTIBILITY_STATE", 3),
  ),
  "interruptibility-sti-without-if": set("GUEST_INTERRUPTIBILITY_STATE", 1),
  "interruptibility-injected-interrupt": both(
    inject(0, 0x20),
    set("GUEST_RFLAGS", 0x202),
    set("GUEST_INTERRUPTIBILITY_STATE", 2),
  ),
  "interruptibility-injected-nmi": both(inject(2, 2), set("GUEST_INTERRUPTIBILITY_STATE", 2)),
  "interruptibility-smi": set("GUEST_INTERRUPTIBILITY_STATE", 4),
  "interruptibility-virtual-nmi": both(
    (bench) => bench.enable("PIN_BASED_CONTROLS", PIN.VIRTUAL_NMIS),
    inject(2, 2),
    set("GUEST_INTERRUPTIBILITY_STATE", 8),
  ),
  "pending-debug-reserved": set("GUEST_PENDING_DEBUG_EXCEPTIONS", 0x10),
  "pending-debug-single-step": both(
    set("GUEST_INTERRUPTIBILITY_STATE", 2),
    set("GUEST_PENDING_DEBUG_EXCEPTIONS", 0x4000),
  ),
  "vmcs-link-pointer": set("VMCS_LINK_POINTER", HOST.msrArea),
  "vmcs-link-pointer-current": set("VMCS_LINK_POINTER", HOST.vmcs),
  ...Object.fromEntries(
    [0, 1, 2, 3].map((index) => [
      `guest-pdpte${index}`,
      both(legacy, set(`GUEST_PDPTE${index}` as FieldKey, 3)),
    ]),
  ),
};
