/**
 * VT-x: the root-mode extension of the processor.
 *
 * In a nutshell:
 * 1. {@link vmxExtension} makes the extension; give it to `new Processor({ extensions: [vmx] })`.
 * 2. With `rootMode: "architectural"` software on the processor executes VMXON and VMLAUNCH, and VM exits go to the host
 *    state of its VMCS. With `"monitor"` a hypervisor in TypeScript owns root mode: {@link VmxExtension.of} gives it the
 *    VMX instructions as calls, and VM exits return from `Processor.run`.
 * 3. A VM entry that fails says which check, which field and which value: {@link EntryFailure}.
 *
 * @packageDocumentation
 */
export {
  FIELD,
  FIELDS,
  fieldMask,
  findField,
  type FieldKey,
  type FieldKind,
  type FieldWidth,
  type VmcsField,
} from "./fields.ts";
export { ENTRY_CONTROL, EXIT_CONTROL, PIN, PRIMARY, SECONDARY } from "./controls.ts";
export { ENTRY_FAILURE, EXIT, exitName } from "./exit-reasons.ts";
export {
  BLOCKING,
  interruption,
  interruptionOf,
  TYPE as INTERRUPTION_TYPE,
  VALID as INTERRUPTION_VALID,
  type Interruption,
} from "./interruption.ts";
export {
  capabilityMsrs,
  CAPABILITY_MSR,
  EPT_VPID,
  haswell,
  penryn,
  sandyBridge,
  type ControlCapability,
  type VmxCapabilities,
} from "./capabilities.ts";
export {
  VmxError,
  type EntryFailure,
  type EntryResult,
  type VmExit,
  type VmxControl,
  type VmxCounts,
} from "./vmx-control.ts";
export { vmxExtension, type VmxExtension, type VmxOptions } from "./vmx-extension.ts";
export type { RootMode, VmxAbort } from "./vmx-parts.ts";
export { hostStateDefaults } from "./host-state.ts";
