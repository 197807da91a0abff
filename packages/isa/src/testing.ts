/**
 * Recorded results of real processors, and what tests of instructions share.
 *
 * @packageDocumentation
 */
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
export { Random } from "./vectors/random.ts";
export {
  formatRecordedFile,
  parseRecordedFile,
  PROGRAM,
  type RecordedEncoding,
  type RecordedFile,
} from "./vectors/recorded-files.ts";
export { ReplayMachine } from "./vectors/replay.ts";
