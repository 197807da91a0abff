/**
 * What hypervisors share, whatever they virtualize the processor with.
 *
 * In a nutshell: {@link GuestMemory} puts host frames behind guest frames, {@link GuestDevices} answers for everything
 * else a guest can address, {@link VirtualInterrupts} says what to inject, {@link InstructionEmulator} does the one
 * instruction that a guest could not do itself, {@link PhysicalInterrupts} gives the hypervisor control in time, and
 * {@link MonitorWork} counts what all of them do. {@link VirtualPc} puts them together to a machine that lacks nothing
 * but how its guest runs.
 *
 * @packageDocumentation
 */
export { closedPorts } from "./closed-ports.ts";
export { GuestDevices } from "./guest-devices.ts";
export { GuestMemory, type GuestMemoryOptions } from "./guest-memory.ts";
export { GuestTime } from "./guest-time.ts";
export {
  InstructionEmulator,
  type InstructionEmulatorOptions,
  type VirtualCpu,
} from "./instruction-emulator.ts";
export { monitorOperations, MonitorWork, type MonitorOperation } from "./monitor-work.ts";
export { kickVector, PhysicalInterrupts, timerVector } from "./physical-interrupts.ts";
export { ProcessorIdentity, type CpuidAnswer } from "./processor-identity.ts";
export { ReservedRange, reservedBytes } from "./shadow-paging/reserved-range.ts";
export {
  ShadowMmu,
  type ShadowAccess,
  type ShadowFault,
  type ShadowMmuOptions,
} from "./shadow-paging/shadow-mmu.ts";
export { shadowFrames } from "./shadow-paging/shadow-table.ts";
export { VirtualInterrupts, type Interruptibility, type NextEvent } from "./virtual-interrupts.ts";
export {
  VirtualPc,
  type GuestStep,
  type VirtualPcCore,
  type VirtualPcOptions,
} from "./virtual-pc.ts";
