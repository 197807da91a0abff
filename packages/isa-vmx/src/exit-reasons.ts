/** Basic exit reasons. Intel SDM Vol. 3D Appendix C, "VMX Basic Exit Reasons". */
export const EXIT = {
  EXCEPTION_OR_NMI: 0,
  EXTERNAL_INTERRUPT: 1,
  TRIPLE_FAULT: 2,
  INTERRUPT_WINDOW: 7,
  NMI_WINDOW: 8,
  TASK_SWITCH: 9,
  CPUID: 10,
  HLT: 12,
  INVD: 13,
  INVLPG: 14,
  RDPMC: 15,
  RDTSC: 16,
  VMCALL: 18,
  VMCLEAR: 19,
  VMLAUNCH: 20,
  VMPTRLD: 21,
  VMPTRST: 22,
  VMREAD: 23,
  VMRESUME: 24,
  VMWRITE: 25,
  VMXOFF: 26,
  VMXON: 27,
  CONTROL_REGISTER_ACCESS: 28,
  MOV_DR: 29,
  IO_INSTRUCTION: 30,
  RDMSR: 31,
  WRMSR: 32,
  INVALID_GUEST_STATE: 33,
  MSR_LOADING: 34,
  MONITOR_TRAP_FLAG: 37,
  PAUSE: 40,
  TPR_BELOW_THRESHOLD: 43,
  GDTR_OR_IDTR_ACCESS: 46,
  LDTR_OR_TR_ACCESS: 47,
  EPT_VIOLATION: 48,
  EPT_MISCONFIGURATION: 49,
  INVEPT: 50,
  RDTSCP: 51,
  PREEMPTION_TIMER: 52,
  INVVPID: 53,
  WBINVD: 54,
} as const;

/** Bit 31 of the exit reason: the VM entry failed. */
export const ENTRY_FAILURE = 0x8000_0000;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(EXIT).map(([name, reason]) => [reason, name.toLowerCase().replaceAll("_", "-")]),
);

/** Kebab-case name of a basic exit reason, for counters and reports. */
export function exitName(reason: number): string {
  return NAMES.get(reason & 0xffff) ?? `reason-${reason & 0xffff}`;
}
