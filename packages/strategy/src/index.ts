/**
 * The contract that every virtualization strategy implements. Holds no implementation of any.
 *
 * In a nutshell: a {@link Host} owns the memory; a {@link Strategy} makes a {@link VirtualMachine} of a
 * {@link Guest} on it; `run` and `start` give an {@link Exit}; `counts()` gives facts, and {@link price}
 * turns them into cycles of a {@link CostProfile}.
 *
 * @packageDocumentation
 */
export {
  checkCostProfile,
  type CostClass,
  type CostConstant,
  type CostProfile,
  type Priced,
  type Provenance,
} from "./cost-profile.ts";
export { countAt, countsBetween, countTree, type Counts, type CountTree } from "./counts.ts";
export { createExclusive, refuseProcessor, type ExclusiveOrder } from "./create-exclusive.ts";
export { createKernelMachine, type KernelMachineOrder } from "./create-kernel-machine.ts";
export type { DebugHit, Watchpoint } from "@ringside/isa";
export type { KernelFormat } from "@ringside/machine";
export type { Debugger, DebugStops } from "./debugger.ts";
export { ProcessorDebugger, type DebuggedMachine } from "./processor-debugger.ts";
export { StrategyError, type StrategyErrorCode } from "./error.ts";
export {
  isFinal,
  programStatus,
  shellStatus,
  type Exit,
  type ProgramStatus,
  type Registers,
} from "./exit.ts";
export type { Guest, GuestFile, KernelGuest, ProgramGuest } from "./guest.ts";
export {
  GuestInspector,
  shownRegisters,
  type InspectedGuest,
  type InspectedMemory,
  type TranslationControls,
} from "./guest-inspector.ts";
export { Host, type Claim, type HostOptions } from "./host.ts";
export type {
  KernelMachine,
  KernelMachineExit,
  KernelMachineListeners,
  KernelMachineOptions,
} from "./kernel-machine.ts";
export { virtualMachine, type MachineCore } from "./life-cycle.ts";
export { price, type Price, type PricePart } from "./price.ts";
export { processorCounts } from "./processor-counts.ts";
export { core2, penryn } from "./profiles/core-2.ts";
export { haswell } from "./profiles/haswell.ts";
export { costProfiles } from "./profiles/index.ts";
export { pentium4 } from "./profiles/pentium-4.ts";
export { sandyBridge } from "./profiles/sandy-bridge.ts";
export type { FramedConsole, FramedConsoleListeners, ProgramCarrier } from "./program-carrier.ts";
export {
  readReport,
  reportSchema,
  type Measurement,
  type OkResult,
  type OtherResult,
  type Report,
  type ReportedStrategy,
  type Result,
} from "./report.ts";
export {
  defaultEpochSeconds,
  type Acceptance,
  type Capabilities,
  type CreateOptions,
  type Strategy,
  type Traits,
} from "./strategy.ts";
export type {
  DeliveryEvent,
  MarkEvent,
  MonitorEntryEvent,
  StateEvent,
  SystemCallEvent,
  TraceEvent,
  TraceListener,
} from "./trace.ts";
export type {
  Input,
  Inspector,
  MachineState,
  OutputListeners,
  StartOptions,
  VirtualMachine,
} from "./virtual-machine.ts";
