/**
 * The x86-64 processor and the memory it addresses.
 *
 * In a nutshell: a {@link HostMemory} holds everything; a {@link Processor} runs code in it until something happens and
 * says what. The instruction table ({@link instructions}) is the one source of decoder, assembler, disassembler and
 * interpreter.
 *
 * @packageDocumentation
 */
export {
  HostMemory,
  PhysicalMemory,
  type HostMemoryOptions,
  type WriteListener,
} from "./memory/host-memory.ts";
export { Processor } from "./processor.ts";
export type {
  Delivery,
  InterruptSource,
  MmioRegion,
  PortIo,
  ProcessorExit,
  ProcessorOptions,
} from "./processor-options.ts";
export type { DebugHit, WatchedAccess, Watchpoint } from "./interpreter/stop-points.ts";
export { ProcessorState, type LongModeEntry, type Segment } from "./state/processor-state.ts";
export {
  slots,
  segmentSlots,
  SEGMENTS,
  SHADOW,
  type SegmentName,
  type Slot,
} from "./state/layout.ts";
export type { MonitorEvent } from "./exceptions/monitor.ts";
export { checkPorts } from "./exceptions/port-permission.ts";
export { writeCr0, writeCr4 } from "./exceptions/control-register.ts";
export { VECTOR, setsErrorCode } from "./exceptions/vectors.ts";
export {
  extensionSlot,
  type CurrentOperand,
  type ExtensionContext,
  type ExtensionEvent,
  type ExtensionHooks,
  type InjectedEvent,
  type PendingEvents,
  type ProcessorExtension,
  type Prologue,
  type Verdict,
} from "./extension.ts";
export {
  checkProfile,
  defaultProfile,
  processorProfiles,
  TIMESTAMP_HERTZ,
  type ProcessorProfile,
} from "./profile/profile.ts";
export { FEATURES, type FeaturePlace } from "./profile/features.ts";
export { instructions } from "./instructions/index.ts";
export {
  opcodes,
  type Access,
  type Classification,
  type Encoding,
  type Instruction,
} from "./dsl.ts";
export type {
  Condition,
  ExceptionName,
  Operand,
  OperandKind,
  Privilege,
  Routine,
  SemanticsBuilder,
  StatusFlag,
  Value,
  ValueType,
  Variable,
  Width,
} from "./semantics.ts";
export { isCanonical } from "./paging/canonical.ts";
export { TASK_SWITCH } from "./segmentation/task-switch.ts";
export { CR0, CR4, EFER, RFLAGS } from "./profile/registers.ts";
export {
  ACCESS_EXECUTE,
  ACCESS_IMPLICIT,
  ACCESS_STACK,
  ACCESS_TABLE,
  ACCESS_USER,
  ACCESS_WRITE,
  DENY_SUPERVISOR_EXECUTE,
  DENY_SUPERVISOR_READ,
  DENY_SUPERVISOR_WRITE,
  DENY_USER_EXECUTE,
  DENY_USER_READ,
  DENY_USER_WRITE,
} from "./paging/tag.ts";
export { assemble, encode } from "./assembler/assemble.ts";
export {
  assemblerFor,
  type Assembler,
  type AssembleOptions,
  type Assembly,
} from "./assembler/assembler.ts";
export {
  AssemblyError,
  type Argument,
  type FarPointerArgument,
  type MemoryArgument,
  type NumberArgument,
  type RegisterArgument,
  type Statement,
} from "./assembler/argument.ts";
export { decode } from "./decoder/decode.ts";
export { decoderFor } from "./decoder/decoder.ts";
export {
  isDecodeFault,
  type CodeMode,
  type DecodeContext,
  type Decoded,
  type DecodeFault,
  type Decoder,
  type Form,
  type FormOperand,
  type MemoryAddress,
  type OperandSource,
  type Repeat,
  type SegmentNumber,
} from "./decoder/decoded.ts";
export { registerName, registersByName, type NamedRegister } from "./decoder/register-names.ts";
export { disassemble } from "./disassembler/disassemble.ts";
export {
  disassemblerFor,
  type DisassembledLine,
  type Disassembler,
  type DisassembleOptions,
} from "./disassembler/disassembler.ts";
export { noAccessors } from "./services/no-accessors.ts";
export {
  VirtualProcessor,
  type DeliveryResult,
  type Emulation,
  type VirtualAccessors,
  type VirtualEvent,
  type VirtualProcessorOptions,
  type WalkResult,
} from "./services/virtual-processor.ts";
