/**
 * Bits of the VM-execution, VM-exit and VM-entry controls, by the manual's names. All that capabilities here may allow.
 *
 * Intel SDM Vol. 3C §24.6, "VM-Execution Control Fields"; §24.7, "VM-Exit Control Fields"; §24.8, "VM-Entry Control
 * Fields".
 */
function bit(index: number): number {
  return 2 ** index;
}

export const PIN = {
  EXTERNAL_INTERRUPT_EXITING: bit(0),
  NMI_EXITING: bit(3),
  VIRTUAL_NMIS: bit(5),
  PREEMPTION_TIMER: bit(6),
} as const;

export const PRIMARY = {
  INTERRUPT_WINDOW_EXITING: bit(2),
  USE_TSC_OFFSETTING: bit(3),
  HLT_EXITING: bit(7),
  INVLPG_EXITING: bit(9),
  MWAIT_EXITING: bit(10),
  RDPMC_EXITING: bit(11),
  RDTSC_EXITING: bit(12),
  CR3_LOAD_EXITING: bit(15),
  CR3_STORE_EXITING: bit(16),
  CR8_LOAD_EXITING: bit(19),
  CR8_STORE_EXITING: bit(20),
  USE_TPR_SHADOW: bit(21),
  NMI_WINDOW_EXITING: bit(22),
  MOV_DR_EXITING: bit(23),
  UNCONDITIONAL_IO_EXITING: bit(24),
  USE_IO_BITMAPS: bit(25),
  MONITOR_TRAP_FLAG: bit(27),
  USE_MSR_BITMAPS: bit(28),
  MONITOR_EXITING: bit(29),
  PAUSE_EXITING: bit(30),
  ACTIVATE_SECONDARY: bit(31),
} as const;

export const SECONDARY = {
  ENABLE_EPT: bit(1),
  DESCRIPTOR_TABLE_EXITING: bit(2),
  ENABLE_RDTSCP: bit(3),
  ENABLE_VPID: bit(5),
  WBINVD_EXITING: bit(6),
} as const;

export const EXIT_CONTROL = {
  SAVE_DEBUG_CONTROLS: bit(2),
  HOST_ADDRESS_SPACE_SIZE: bit(9),
  ACKNOWLEDGE_INTERRUPT: bit(15),
  SAVE_PAT: bit(18),
  LOAD_PAT: bit(19),
  SAVE_EFER: bit(20),
  LOAD_EFER: bit(21),
  SAVE_PREEMPTION_TIMER: bit(22),
} as const;

export const ENTRY_CONTROL = {
  LOAD_DEBUG_CONTROLS: bit(2),
  IA32E_MODE_GUEST: bit(9),
  LOAD_PAT: bit(14),
  LOAD_EFER: bit(15),
} as const;
