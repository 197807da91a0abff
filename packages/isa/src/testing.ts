/**
 * Recorded results of real processors, kernels that check themselves, and what tests of both share.
 *
 * @packageDocumentation
 */
export { emulators, SHUTDOWN, type Emulator } from "./testing/kernels/emulators.ts";
export { kernels } from "./testing/kernels/index.ts";
export {
  longModeText,
  PLACE_64,
  SEGMENT_64,
  vector64,
  withOwnLabels64,
} from "./testing/kernels/long-mode.ts";
export {
  LOCAL_APIC,
  romImage,
  ROM_PHYSICAL,
  type Kernel,
  type KernelCase,
} from "./testing/kernels/rom.ts";
export { differences } from "./vectors/compare.ts";
export { coversEncodings } from "./vectors/coverage.ts";
export { formatVector, parseVector } from "./vectors/format.ts";
export {
  CODE_ADDRESS,
  CODE_PAGE,
  DATA_ADDRESS,
  DATA_BYTES,
  initialByte,
  initialRegisters,
  READ_ONLY_ADDRESS,
  type Patch,
  type Registers,
  type Vector,
  type VectorInput,
  type VectorResult,
} from "./vectors/machine.ts";
export { recordingPlan, type PlannedEncoding, type VectorArea } from "./vectors/plan.ts";
export { Random, seedOf } from "./vectors/random.ts";
export {
  formatRecordedFile,
  parseRecordedFile,
  PROGRAM,
  type RecordedEncoding,
  type RecordedFile,
} from "./vectors/recorded-files.ts";
export { ReplayMachine } from "./vectors/replay.ts";
