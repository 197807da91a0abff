/** How VMX instructions fail. Intel SDM Vol. 3C §31.2, "Conventions"; §31.4, "VM Instruction Error Numbers". */

/** VM-instruction error numbers. Intel SDM Vol. 3C §31.4, "VM Instruction Error Numbers". */
export const ERROR = {
  VMCALL_IN_ROOT: 1,
  VMCLEAR_ADDRESS: 2,
  VMCLEAR_VMXON_POINTER: 3,
  VMLAUNCH_NOT_CLEAR: 4,
  VMRESUME_NOT_LAUNCHED: 5,
  CONTROLS: 7,
  HOST_STATE: 8,
  VMPTRLD_ADDRESS: 9,
  VMPTRLD_VMXON_POINTER: 10,
  VMPTRLD_REVISION: 11,
  UNSUPPORTED_FIELD: 12,
  READ_ONLY_FIELD: 13,
  VMXON_IN_ROOT: 15,
  MOV_SS_BLOCKING: 26,
  INVALID_OPERAND: 28,
} as const;

export const ERROR_WORDS: Readonly<Record<number, string>> = {
  [ERROR.VMCLEAR_ADDRESS]: "VMCLEAR with an invalid physical address",
  [ERROR.VMCLEAR_VMXON_POINTER]: "VMCLEAR with the VMXON pointer",
  [ERROR.VMPTRLD_ADDRESS]: "VMPTRLD with an invalid physical address",
  [ERROR.VMPTRLD_VMXON_POINTER]: "VMPTRLD with the VMXON pointer",
  [ERROR.VMPTRLD_REVISION]: "VMPTRLD with an incorrect VMCS revision identifier",
  [ERROR.UNSUPPORTED_FIELD]: "VMREAD or VMWRITE of an unsupported VMCS component",
  [ERROR.READ_ONLY_FIELD]: "VMWRITE to a read-only VMCS component",
  [ERROR.VMXON_IN_ROOT]: "VMXON executed in VMX root operation",
  [ERROR.INVALID_OPERAND]: "invalid operand to INVEPT or INVVPID",
};

/** How an instruction ended, before its flags. `error` 0: VMfailInvalid. */
export type Outcome = "succeed" | { readonly error: number };
export const FAIL_INVALID: Outcome = { error: 0 };
