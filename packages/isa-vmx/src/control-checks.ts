/**
 * Checks on the VM-execution, VM-exit and VM-entry control fields. The failure is VMfailValid 7.
 *
 * Intel SDM Vol. 3C §27.2.1, "Checks on VMX Controls".
 */
import type { ControlCapability } from "./capabilities.ts";
import { EXIT_CONTROL, PIN, PRIMARY, SECONDARY } from "./controls.ts";
import type { EntryCheck, EntryView } from "./entry-check.ts";
import type { FieldKey } from "./fields.ts";
import { interruption, TYPE } from "./interruption.ts";

const EXECUTION = 'Intel SDM Vol. 3C §27.2.1.1, "VM-Execution Control Fields"';
const EXIT = 'Intel SDM Vol. 3C §27.2.1.2, "VM-Exit Control Fields"';
const ENTRY = 'Intel SDM Vol. 3C §27.2.1.3, "VM-Entry Control Fields"';

function isAllowed(value: number, { mustBeOne, mayBeOne }: ControlCapability): boolean {
  return (~value & mustBeOne) === 0 && (value & ~mayBeOne) === 0;
}

function reserved(
  name: string,
  field: FieldKey,
  reference: string,
  of: (view: EntryView) => ControlCapability,
  applies: (view: EntryView) => boolean = () => true,
): EntryCheck {
  return {
    name,
    field,
    reference,
    expected: "have its reserved bits as the capability MSR reports them",
    holds: (view) => !applies(view) || isAllowed(view.number(field), of(view)),
  };
}

function aligned(name: string, field: FieldKey, applies: (view: EntryView) => boolean): EntryCheck {
  return {
    name,
    field,
    reference: EXECUTION,
    expected: "be 4-KByte aligned and within the physical-address width",
    holds: (view) => !applies(view) || view.isPhysical(view.get(field), 0x1000n),
  };
}

/** The address and count of an MSR area: aligned to 16 bytes, and its last byte within the width. */
function msrArea(name: string, field: FieldKey, count: FieldKey, reference: string): EntryCheck {
  return {
    name,
    field,
    reference,
    expected: "be 16-byte aligned, with the whole area within the physical-address width",
    holds(view) {
      const entries = view.get(count);
      if (entries === 0n) return true;
      const first = view.get(field);
      return view.isPhysical(first, 16n) && view.isPhysical(first + entries * 16n - 1n);
    },
  };
}

const tpr = (view: EntryView): boolean => view.control("PRIMARY_CONTROLS", PRIMARY.USE_TPR_SHADOW);
const ept = (view: EntryView): boolean => view.hasSecondary(SECONDARY.ENABLE_EPT);

const execution: readonly EntryCheck[] = [
  reserved(
    "pin-based-controls",
    "PIN_BASED_CONTROLS",
    EXECUTION,
    (v) => v.context.capabilities.pin,
  ),
  reserved(
    "primary-controls",
    "PRIMARY_CONTROLS",
    EXECUTION,
    (v) => v.context.capabilities.primary,
  ),
  reserved(
    "secondary-controls",
    "SECONDARY_CONTROLS",
    EXECUTION,
    (v) => v.context.capabilities.secondary,
    (v) => v.control("PRIMARY_CONTROLS", PRIMARY.ACTIVATE_SECONDARY),
  ),
  {
    name: "cr3-target-count",
    field: "CR3_TARGET_COUNT",
    reference: EXECUTION,
    expected: "be at most 4",
    holds: (view) => view.number("CR3_TARGET_COUNT") <= 4,
  },
  aligned("io-bitmap-a", "IO_BITMAP_A", (v) =>
    v.control("PRIMARY_CONTROLS", PRIMARY.USE_IO_BITMAPS),
  ),
  aligned("io-bitmap-b", "IO_BITMAP_B", (v) =>
    v.control("PRIMARY_CONTROLS", PRIMARY.USE_IO_BITMAPS),
  ),
  aligned("msr-bitmap", "MSR_BITMAP", (v) =>
    v.control("PRIMARY_CONTROLS", PRIMARY.USE_MSR_BITMAPS),
  ),
  aligned("virtual-apic-address", "VIRTUAL_APIC_ADDRESS", tpr),
  {
    name: "tpr-threshold-reserved",
    field: "TPR_THRESHOLD",
    reference: EXECUTION,
    expected: "have bits 31:4 zero while the TPR shadow is used",
    holds: (view) => !tpr(view) || view.number("TPR_THRESHOLD") <= 0xf,
  },
  {
    name: "tpr-threshold-above-vtpr",
    field: "TPR_THRESHOLD",
    reference: EXECUTION,
    expected: "not be greater than bits 7:4 of VTPR",
    holds(view) {
      if (!tpr(view)) return true;
      const vtpr = view.memory.readU32(Number(view.get("VIRTUAL_APIC_ADDRESS")) + 0x80);
      return view.number("TPR_THRESHOLD") <= ((vtpr >>> 4) & 0xf);
    },
  },
  {
    name: "virtual-nmis-without-nmi-exiting",
    field: "PIN_BASED_CONTROLS",
    reference: EXECUTION,
    expected: "have virtual NMIs 0 while NMI exiting is 0",
    holds: (view) =>
      view.control("PIN_BASED_CONTROLS", PIN.NMI_EXITING) ||
      !view.control("PIN_BASED_CONTROLS", PIN.VIRTUAL_NMIS),
  },
  {
    name: "nmi-window-without-virtual-nmis",
    field: "PRIMARY_CONTROLS",
    reference: EXECUTION,
    expected: "have NMI-window exiting 0 while virtual NMIs is 0",
    holds: (view) =>
      view.control("PIN_BASED_CONTROLS", PIN.VIRTUAL_NMIS) ||
      !view.control("PRIMARY_CONTROLS", PRIMARY.NMI_WINDOW_EXITING),
  },
  {
    name: "vpid-zero",
    field: "VIRTUAL_PROCESSOR_ID",
    reference: EXECUTION,
    expected: "not be 0000H while VPID is enabled",
    holds: (view) =>
      !view.hasSecondary(SECONDARY.ENABLE_VPID) || view.number("VIRTUAL_PROCESSOR_ID") !== 0,
  },
  {
    name: "unrestricted-guest-without-ept",
    field: "SECONDARY_CONTROLS",
    reference: EXECUTION,
    expected: "have unrestricted guest 0 while EPT is not enabled",
    holds: (view) => !view.isUnrestricted || ept(view),
  },
  {
    name: "ept-memory-type",
    field: "EPT_POINTER",
    reference: EXECUTION,
    expected: "have a memory type in bits 2:0 that the processor supports, 0 or 6",
    holds: (view) => !ept(view) || [0n, 6n].includes(view.get("EPT_POINTER") & 7n),
  },
  {
    name: "ept-walk-length",
    field: "EPT_POINTER",
    reference: EXECUTION,
    expected: "have 3 in bits 5:3, a walk of four levels",
    holds: (view) => !ept(view) || ((view.get("EPT_POINTER") >> 3n) & 7n) === 3n,
  },
  {
    name: "ept-accessed-dirty",
    field: "EPT_POINTER",
    reference: EXECUTION,
    expected: "have bit 6 zero: the processor has no accessed and dirty flags for EPT",
    holds: (view) =>
      !ept(view) ||
      view.context.capabilities.ept?.accessedDirty === true ||
      (view.get("EPT_POINTER") & 0x40n) === 0n,
  },
  {
    name: "ept-reserved",
    field: "EPT_POINTER",
    reference: EXECUTION,
    expected: "have bits 11:7 zero and none beyond the physical-address width",
    holds: (view) =>
      !ept(view) ||
      ((view.get("EPT_POINTER") & 0xf80n) === 0n && view.isPhysical(view.get("EPT_POINTER"))),
  },
];

const exit: readonly EntryCheck[] = [
  reserved("exit-controls", "VM_EXIT_CONTROLS", EXIT, (v) => v.context.capabilities.exit),
  {
    name: "save-timer-without-timer",
    field: "VM_EXIT_CONTROLS",
    reference: EXIT,
    expected: "have save VMX-preemption timer value 0 while the timer is not activated",
    holds: (view) =>
      view.control("PIN_BASED_CONTROLS", PIN.PREEMPTION_TIMER) ||
      !view.control("VM_EXIT_CONTROLS", EXIT_CONTROL.SAVE_PREEMPTION_TIMER),
  },
  msrArea("exit-msr-store", "VM_EXIT_MSR_STORE_ADDRESS", "VM_EXIT_MSR_STORE_COUNT", EXIT),
  msrArea("exit-msr-load", "VM_EXIT_MSR_LOAD_ADDRESS", "VM_EXIT_MSR_LOAD_COUNT", EXIT),
];

const injection = (view: EntryView): ReturnType<typeof interruption> =>
  interruption(view.number("VM_ENTRY_INTERRUPTION_INFORMATION"));

/** Exceptions that push an error code. */
const WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

const entry: readonly EntryCheck[] = [
  reserved("entry-controls", "VM_ENTRY_CONTROLS", ENTRY, (v) => v.context.capabilities.entry),
  {
    name: "injection-type",
    field: "VM_ENTRY_INTERRUPTION_INFORMATION",
    reference: ENTRY,
    expected: "not have the reserved interruption type 1",
    holds: (view) => !injection(view).isValid || injection(view).type !== 1,
  },
  {
    name: "injection-vector",
    field: "VM_ENTRY_INTERRUPTION_INFORMATION",
    reference: ENTRY,
    expected:
      "have vector 2 for an NMI, at most 31 for a hardware exception, and 0 for a pending MTF VM exit",
    holds(view) {
      const { isValid, type, vector } = injection(view);
      if (!isValid) return true;
      if (type === TYPE.NMI) return vector === 2;
      if (type === TYPE.OTHER) return vector === 0;
      return type !== TYPE.HARDWARE_EXCEPTION || vector <= 31;
    },
  },
  {
    name: "injection-error-code",
    field: "VM_ENTRY_INTERRUPTION_INFORMATION",
    reference: ENTRY,
    expected:
      "deliver an error code for exactly the hardware exceptions that have one, in protected mode",
    holds(view) {
      const { isValid, type, vector, hasErrorCode } = injection(view);
      if (!isValid) return true;
      const isRealMode = view.isUnrestricted && (view.number("GUEST_CR0") & 1) === 0;
      const wants = type === TYPE.HARDWARE_EXCEPTION && WITH_ERROR_CODE.has(vector) && !isRealMode;
      return hasErrorCode === wants;
    },
  },
  {
    name: "injection-reserved",
    field: "VM_ENTRY_INTERRUPTION_INFORMATION",
    reference: ENTRY,
    expected: "have bits 30:12 zero",
    holds: (view) =>
      !injection(view).isValid ||
      (view.number("VM_ENTRY_INTERRUPTION_INFORMATION") & 0x7fff_f000) === 0,
  },
  {
    name: "injection-error-code-reserved",
    field: "VM_ENTRY_EXCEPTION_ERROR_CODE",
    reference: ENTRY,
    expected: "have bits 31:15 zero when it is delivered",
    holds: (view) =>
      !injection(view).isValid ||
      !injection(view).hasErrorCode ||
      view.number("VM_ENTRY_EXCEPTION_ERROR_CODE") <= 0x7fff,
  },
  {
    name: "injection-instruction-length",
    field: "VM_ENTRY_INSTRUCTION_LENGTH",
    reference: ENTRY,
    expected: "be 1 to 15 for a software interrupt or exception",
    holds(view) {
      const { isValid, type } = injection(view);
      const isSoftware =
        type === TYPE.SOFTWARE_INTERRUPT ||
        type === TYPE.PRIVILEGED_SOFTWARE_EXCEPTION ||
        type === TYPE.SOFTWARE_EXCEPTION;
      const length = view.number("VM_ENTRY_INSTRUCTION_LENGTH");
      return !isValid || !isSoftware || (length >= 1 && length <= 15);
    },
  },
  msrArea("entry-msr-load", "VM_ENTRY_MSR_LOAD_ADDRESS", "VM_ENTRY_MSR_LOAD_COUNT", ENTRY),
];

export const controlChecks: readonly EntryCheck[] = [...execution, ...exit, ...entry];
