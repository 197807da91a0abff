/** Takes programs to a build of the guest kernel and brings their streams back. */
import { ProgramConsole, type ProgramConsoleListeners } from "./program-console.ts";
import { programKernel, type KernelProgram, type ProgramKernel } from "./program-kernel.ts";

/** What `createKernelMachine` of `@ringside/strategy` wants to know of a guest kernel. */
export interface ProgramCarrier {
  /** @throws {RangeError} As {@link programKernel}. */
  kernel(program: KernelProgram): ProgramKernel;
  console(listeners: ProgramConsoleListeners): ProgramConsole;
}

/** @param image The build of the kernel, such as {@link kernelXenImage}; the native one without it. */
export function programCarrier(image?: () => Uint8Array): ProgramCarrier {
  return {
    kernel: (program) => programKernel(program, image?.()),
    console: (listeners) => new ProgramConsole(listeners),
  };
}
