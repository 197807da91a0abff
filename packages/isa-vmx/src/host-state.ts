/** A host-state area for hypervisors that have no code on the processor. */
import type { FieldKey } from "./fields.ts";
import type { VmxControl } from "./vmx-control.ts";

const VALUES: readonly (readonly [FieldKey, bigint])[] = [
  ["HOST_CR0", 0x8000_0031n],
  ["HOST_CR3", 0n],
  ["HOST_CR4", 0x2020n],
  ["HOST_CS_SELECTOR", 0x08n],
  ["HOST_SS_SELECTOR", 0x10n],
  ["HOST_DS_SELECTOR", 0n],
  ["HOST_ES_SELECTOR", 0n],
  ["HOST_FS_SELECTOR", 0n],
  ["HOST_GS_SELECTOR", 0n],
  ["HOST_TR_SELECTOR", 0x18n],
  ["HOST_FS_BASE", 0n],
  ["HOST_GS_BASE", 0n],
  ["HOST_TR_BASE", 0n],
  ["HOST_GDTR_BASE", 0n],
  ["HOST_IDTR_BASE", 0n],
  ["HOST_IA32_SYSENTER_CS", 0n],
  ["HOST_IA32_SYSENTER_ESP", 0n],
  ["HOST_IA32_SYSENTER_EIP", 0n],
  ["HOST_IA32_PAT", 0x0007_0406_0007_0406n],
  ["HOST_IA32_EFER", 0xd01n],
  ["HOST_RSP", 0n],
  ["HOST_RIP", 0n],
];

/**
 * Fills the host-state area of the current VMCS with values that VM entry accepts for a 64-bit host. With `rootMode:
 * "monitor"` they are checked and never loaded. The VM-exit controls must set `EXIT_CONTROL.HOST_ADDRESS_SPACE_SIZE`.
 *
 * @throws {VmxError} There is no current VMCS.
 */
export function hostStateDefaults(control: VmxControl): void {
  for (const [field, value] of VALUES) control.vmwrite(field, value);
}
