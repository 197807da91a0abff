/**
 * The fields of a VMCS, as one table.
 *
 * Width, kind and access follow from the encoding, which is the manual's:
 *
 * ```
 * 31      15 14   13 12 11   10 9        1  0
 * +---------+-------+--+-------+----------+---+
 * | reserved| width | 0| kind  | index    | H |   H: upper half of a 64-bit field
 * +---------+-------+--+-------+----------+---+
 * ```
 *
 * Intel SDM Vol. 3C §25.11.2, "VMREAD, VMWRITE, and Encodings of VMCS Fields"; Vol. 3D Appendix B, "Field Encoding in
 * VMCS". Fields of controls that no capability here allows do not exist.
 */

/** Bits of a field; `natural` is 64 bits on this processor. */
export type FieldWidth = 16 | 32 | 64 | "natural";

/** What a field is for. `information` fields are read-only. */
export type FieldKind = "control" | "information" | "guest" | "host";

/** A row of the table. */
export interface VmcsField {
  readonly key: FieldKey;
  /** 32 bits; bit 0 clear (the full field). */
  readonly encoding: number;
  readonly width: FieldWidth;
  readonly kind: FieldKind;
  readonly access: "read-write" | "read-only";
  /** The SDM's words. */
  readonly name: string;
  /** Position in {@link FIELDS}. */
  readonly index: number;
  /** Bytes from the start of the VMCS region. Software must not rely on it: this processor keeps the data there. */
  readonly offset: number;
}

/** Where the data of a VMCS starts in its region, behind the revision identifier, the abort indicator and the launch state. */
export const DATA_OFFSET = 64;
const WIDTHS: readonly FieldWidth[] = [16, 64, 32, "natural"];
const KINDS: readonly FieldKind[] = ["control", "information", "guest", "host"];

/** Encodings by name. */
export const FIELD = {
  VIRTUAL_PROCESSOR_ID: 0x0000,
  GUEST_ES_SELECTOR: 0x0800,
  GUEST_CS_SELECTOR: 0x0802,
  GUEST_SS_SELECTOR: 0x0804,
  GUEST_DS_SELECTOR: 0x0806,
  GUEST_FS_SELECTOR: 0x0808,
  GUEST_GS_SELECTOR: 0x080a,
  GUEST_LDTR_SELECTOR: 0x080c,
  GUEST_TR_SELECTOR: 0x080e,
  HOST_ES_SELECTOR: 0x0c00,
  HOST_CS_SELECTOR: 0x0c02,
  HOST_SS_SELECTOR: 0x0c04,
  HOST_DS_SELECTOR: 0x0c06,
  HOST_FS_SELECTOR: 0x0c08,
  HOST_GS_SELECTOR: 0x0c0a,
  HOST_TR_SELECTOR: 0x0c0c,
  IO_BITMAP_A: 0x2000,
  IO_BITMAP_B: 0x2002,
  MSR_BITMAP: 0x2004,
  VM_EXIT_MSR_STORE_ADDRESS: 0x2006,
  VM_EXIT_MSR_LOAD_ADDRESS: 0x2008,
  VM_ENTRY_MSR_LOAD_ADDRESS: 0x200a,
  EXECUTIVE_VMCS_POINTER: 0x200c,
  TSC_OFFSET: 0x2010,
  VIRTUAL_APIC_ADDRESS: 0x2012,
  EPT_POINTER: 0x201a,
  GUEST_PHYSICAL_ADDRESS: 0x2400,
  VMCS_LINK_POINTER: 0x2800,
  GUEST_IA32_DEBUGCTL: 0x2802,
  GUEST_IA32_PAT: 0x2804,
  GUEST_IA32_EFER: 0x2806,
  GUEST_PDPTE0: 0x280a,
  GUEST_PDPTE1: 0x280c,
  GUEST_PDPTE2: 0x280e,
  GUEST_PDPTE3: 0x2810,
  HOST_IA32_PAT: 0x2c00,
  HOST_IA32_EFER: 0x2c02,
  PIN_BASED_CONTROLS: 0x4000,
  PRIMARY_CONTROLS: 0x4002,
  EXCEPTION_BITMAP: 0x4004,
  PAGE_FAULT_ERROR_CODE_MASK: 0x4006,
  PAGE_FAULT_ERROR_CODE_MATCH: 0x4008,
  CR3_TARGET_COUNT: 0x400a,
  VM_EXIT_CONTROLS: 0x400c,
  VM_EXIT_MSR_STORE_COUNT: 0x400e,
  VM_EXIT_MSR_LOAD_COUNT: 0x4010,
  VM_ENTRY_CONTROLS: 0x4012,
  VM_ENTRY_MSR_LOAD_COUNT: 0x4014,
  VM_ENTRY_INTERRUPTION_INFORMATION: 0x4016,
  VM_ENTRY_EXCEPTION_ERROR_CODE: 0x4018,
  VM_ENTRY_INSTRUCTION_LENGTH: 0x401a,
  TPR_THRESHOLD: 0x401c,
  SECONDARY_CONTROLS: 0x401e,
  VM_INSTRUCTION_ERROR: 0x4400,
  EXIT_REASON: 0x4402,
  EXIT_INTERRUPTION_INFORMATION: 0x4404,
  EXIT_INTERRUPTION_ERROR_CODE: 0x4406,
  IDT_VECTORING_INFORMATION: 0x4408,
  IDT_VECTORING_ERROR_CODE: 0x440a,
  EXIT_INSTRUCTION_LENGTH: 0x440c,
  EXIT_INSTRUCTION_INFORMATION: 0x440e,
  GUEST_ES_LIMIT: 0x4800,
  GUEST_CS_LIMIT: 0x4802,
  GUEST_SS_LIMIT: 0x4804,
  GUEST_DS_LIMIT: 0x4806,
  GUEST_FS_LIMIT: 0x4808,
  GUEST_GS_LIMIT: 0x480a,
  GUEST_LDTR_LIMIT: 0x480c,
  GUEST_TR_LIMIT: 0x480e,
  GUEST_GDTR_LIMIT: 0x4810,
  GUEST_IDTR_LIMIT: 0x4812,
  GUEST_ES_ACCESS_RIGHTS: 0x4814,
  GUEST_CS_ACCESS_RIGHTS: 0x4816,
  GUEST_SS_ACCESS_RIGHTS: 0x4818,
  GUEST_DS_ACCESS_RIGHTS: 0x481a,
  GUEST_FS_ACCESS_RIGHTS: 0x481c,
  GUEST_GS_ACCESS_RIGHTS: 0x481e,
  GUEST_LDTR_ACCESS_RIGHTS: 0x4820,
  GUEST_TR_ACCESS_RIGHTS: 0x4822,
  GUEST_INTERRUPTIBILITY_STATE: 0x4824,
  GUEST_ACTIVITY_STATE: 0x4826,
  GUEST_SMBASE: 0x4828,
  GUEST_IA32_SYSENTER_CS: 0x482a,
  VMX_PREEMPTION_TIMER_VALUE: 0x482e,
  HOST_IA32_SYSENTER_CS: 0x4c00,
  CR0_GUEST_HOST_MASK: 0x6000,
  CR4_GUEST_HOST_MASK: 0x6002,
  CR0_READ_SHADOW: 0x6004,
  CR4_READ_SHADOW: 0x6006,
  CR3_TARGET_VALUE0: 0x6008,
  CR3_TARGET_VALUE1: 0x600a,
  CR3_TARGET_VALUE2: 0x600c,
  CR3_TARGET_VALUE3: 0x600e,
  EXIT_QUALIFICATION: 0x6400,
  IO_RCX: 0x6402,
  IO_RSI: 0x6404,
  IO_RDI: 0x6406,
  IO_RIP: 0x6408,
  GUEST_LINEAR_ADDRESS: 0x640a,
  GUEST_CR0: 0x6800,
  GUEST_CR3: 0x6802,
  GUEST_CR4: 0x6804,
  GUEST_ES_BASE: 0x6806,
  GUEST_CS_BASE: 0x6808,
  GUEST_SS_BASE: 0x680a,
  GUEST_DS_BASE: 0x680c,
  GUEST_FS_BASE: 0x680e,
  GUEST_GS_BASE: 0x6810,
  GUEST_LDTR_BASE: 0x6812,
  GUEST_TR_BASE: 0x6814,
  GUEST_GDTR_BASE: 0x6816,
  GUEST_IDTR_BASE: 0x6818,
  GUEST_DR7: 0x681a,
  GUEST_RSP: 0x681c,
  GUEST_RIP: 0x681e,
  GUEST_RFLAGS: 0x6820,
  GUEST_PENDING_DEBUG_EXCEPTIONS: 0x6822,
  GUEST_IA32_SYSENTER_ESP: 0x6824,
  GUEST_IA32_SYSENTER_EIP: 0x6826,
  HOST_CR0: 0x6c00,
  HOST_CR3: 0x6c02,
  HOST_CR4: 0x6c04,
  HOST_FS_BASE: 0x6c06,
  HOST_GS_BASE: 0x6c08,
  HOST_TR_BASE: 0x6c0a,
  HOST_GDTR_BASE: 0x6c0c,
  HOST_IDTR_BASE: 0x6c0e,
  HOST_IA32_SYSENTER_ESP: 0x6c10,
  HOST_IA32_SYSENTER_EIP: 0x6c12,
  HOST_RSP: 0x6c14,
  HOST_RIP: 0x6c16,
} as const;

/** Name of a field: a key of {@link FIELD}. */
export type FieldKey = keyof typeof FIELD;

/** Fields whose SDM name is not their key in lower case. */
const NAMES: Partial<Record<FieldKey, string>> = {
  VIRTUAL_PROCESSOR_ID: "virtual-processor identifier (VPID)",
  IO_BITMAP_A: "address of I/O bitmap A",
  IO_BITMAP_B: "address of I/O bitmap B",
  MSR_BITMAP: "address of MSR bitmaps",
  VM_EXIT_MSR_STORE_ADDRESS: "VM-exit MSR-store address",
  VM_EXIT_MSR_LOAD_ADDRESS: "VM-exit MSR-load address",
  VM_ENTRY_MSR_LOAD_ADDRESS: "VM-entry MSR-load address",
  EXECUTIVE_VMCS_POINTER: "executive-VMCS pointer",
  TSC_OFFSET: "TSC offset",
  VIRTUAL_APIC_ADDRESS: "virtual-APIC address",
  EPT_POINTER: "EPT pointer (EPTP)",
  GUEST_PHYSICAL_ADDRESS: "guest-physical address",
  VMCS_LINK_POINTER: "VMCS link pointer",
  PIN_BASED_CONTROLS: "pin-based VM-execution controls",
  PRIMARY_CONTROLS: "primary processor-based VM-execution controls",
  SECONDARY_CONTROLS: "secondary processor-based VM-execution controls",
  EXCEPTION_BITMAP: "exception bitmap",
  PAGE_FAULT_ERROR_CODE_MASK: "page-fault error-code mask",
  PAGE_FAULT_ERROR_CODE_MATCH: "page-fault error-code match",
  CR3_TARGET_COUNT: "CR3-target count",
  VM_EXIT_CONTROLS: "VM-exit controls",
  VM_EXIT_MSR_STORE_COUNT: "VM-exit MSR-store count",
  VM_EXIT_MSR_LOAD_COUNT: "VM-exit MSR-load count",
  VM_ENTRY_CONTROLS: "VM-entry controls",
  VM_ENTRY_MSR_LOAD_COUNT: "VM-entry MSR-load count",
  VM_ENTRY_INTERRUPTION_INFORMATION: "VM-entry interruption-information field",
  VM_ENTRY_EXCEPTION_ERROR_CODE: "VM-entry exception error code",
  VM_ENTRY_INSTRUCTION_LENGTH: "VM-entry instruction length",
  TPR_THRESHOLD: "TPR threshold",
  VM_INSTRUCTION_ERROR: "VM-instruction error",
  EXIT_REASON: "exit reason",
  EXIT_INTERRUPTION_INFORMATION: "VM-exit interruption information",
  EXIT_INTERRUPTION_ERROR_CODE: "VM-exit interruption error code",
  IDT_VECTORING_INFORMATION: "IDT-vectoring information field",
  IDT_VECTORING_ERROR_CODE: "IDT-vectoring error code",
  EXIT_INSTRUCTION_LENGTH: "VM-exit instruction length",
  EXIT_INSTRUCTION_INFORMATION: "VM-exit instruction information",
  GUEST_INTERRUPTIBILITY_STATE: "guest interruptibility state",
  GUEST_ACTIVITY_STATE: "guest activity state",
  VMX_PREEMPTION_TIMER_VALUE: "VMX-preemption timer value",
  CR0_GUEST_HOST_MASK: "CR0 guest/host mask",
  CR4_GUEST_HOST_MASK: "CR4 guest/host mask",
  CR0_READ_SHADOW: "CR0 read shadow",
  CR4_READ_SHADOW: "CR4 read shadow",
  EXIT_QUALIFICATION: "exit qualification",
  GUEST_LINEAR_ADDRESS: "guest-linear address",
  GUEST_PENDING_DEBUG_EXCEPTIONS: "guest pending debug exceptions",
};

/** Words of a key that keep their capitals; the others are lower case after the first. */
const LOWER: ReadonlySet<string> = new Set(["SELECTOR", "BASE", "LIMIT", "ACCESS", "RIGHTS"]);

function nameOf(key: FieldKey): string {
  const given = NAMES[key];
  if (given !== undefined) return given;
  const [first = "", ...rest] = key.split("_");
  const side = first === "GUEST" || first === "HOST" ? first.toLowerCase() : first;
  return [side, ...rest.map((word) => (LOWER.has(word) ? word.toLowerCase() : word))]
    .join(" ")
    .replaceAll("IA32 ", "IA32_")
    .replaceAll("SYSENTER ", "SYSENTER_");
}

/** All fields, in the order of their encodings' table. */
export const FIELDS: readonly VmcsField[] = (Object.entries(FIELD) as [FieldKey, number][]).map(
  ([key, encoding], index) => {
    const kind = KINDS[(encoding >> 10) & 3] ?? "control";
    return {
      key,
      encoding,
      width: WIDTHS[(encoding >> 13) & 3] ?? 16,
      kind,
      access: kind === "information" ? "read-only" : "read-write",
      name: nameOf(key),
      index,
      offset: DATA_OFFSET + index * 8,
    };
  },
);

const BY_ENCODING: ReadonlyMap<number, VmcsField> = new Map(
  FIELDS.map((field) => [field.encoding, field]),
);

/** A field by its encoding; 64-bit fields also by that of their upper half. */
export function findField(encoding: number): VmcsField | undefined {
  const full = BY_ENCODING.get(encoding & ~1);
  if (full === undefined || ((encoding & 1) !== 0 && full.width !== 64)) return undefined;
  return full;
}

/** The fields by name. Code that runs at each entry and exit takes its own out of it once. */
export const fields: Readonly<Record<FieldKey, VmcsField>> = Object.fromEntries(
  FIELDS.map((field) => [field.key, field]),
) as Record<FieldKey, VmcsField>; // FIELDS has a row for each key.

/** The field of a key. */
export function fieldOf(key: FieldKey): VmcsField {
  return fields[key];
}

/** All ones of a field's width. */
export function fieldMask({ width }: VmcsField): bigint {
  switch (width) {
    case 16:
      return 0xffffn;
    case 32:
      return 0xffff_ffffn;
    default:
      return 0xffff_ffff_ffff_ffffn;
  }
}
