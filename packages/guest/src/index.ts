/**
 * Guest kernels and programs: prebuilt images and the constants of their ABI.
 *
 * In a nutshell: `kernelImage()` boots with the archive that `programInitrd()` makes; a `FrameReader` takes what its
 * console sends, `encodeFrame()` makes what it reads.
 *
 * @packageDocumentation
 */
export {
  exitValues,
  frameHeaderBytes,
  frameMagic,
  framePayloadMaxBytes,
  frameTypes,
  markBase,
  marks,
  paths,
  ports,
} from "./abi.ts";
export {
  encodeFrame,
  FrameReader,
  frameReader,
  type Frame,
  type FrameHandlers,
  type HostFrameType,
} from "./console-frame.ts";
export {
  diskBootSector,
  kernelImage,
  kernelXenImage,
  nanoBenchmarks,
  nanoImage,
  nanoXenBenchmarks,
  nanoXenImage,
  programNames,
  selftestGroups,
  selftestImage,
  selftestXenGroups,
  selftestXenImage,
  userProgram,
} from "./images.ts";
export { initrd, type InitrdEntry } from "./initrd.ts";
export { programCases, type ProgramCase } from "./program-cases.ts";
export { programCarrier, type ProgramCarrier } from "./program-carrier.ts";
export { ProgramConsole, type ProgramConsoleListeners } from "./program-console.ts";
export { programInitrd, type ProgramInitrdOptions } from "./program-initrd.ts";
export { programKernel, type KernelProgram, type ProgramKernel } from "./program-kernel.ts";
