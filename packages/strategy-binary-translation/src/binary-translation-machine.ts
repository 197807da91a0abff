/** One virtual PC by binary translation: a host's processor that reports to a monitor, and a guest outside ring 0 on it. */
import { VirtualPc, shadowFrames } from "@ringside/hypervisor";
import { defaultProfile, type ProcessorProfile } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import type { KernelMachineOptions } from "@ringside/strategy";
import { regionFrames } from "./cache/region.ts";
import { sensitiveExtension } from "./trap-and-emulate/sensitive-watch.ts";
import { TranslationCore } from "./translation-core.ts";

/** The host's processor: the guest's, and what SWAPGS in the cache takes. */
const hostProfile: ProcessorProfile = {
  ...defaultProfile,
  id: "x86-64-v2-fsgsbase",
  features: new Set([...defaultProfile.features, "fsgsbase"]),
};

export interface BinaryTranslationMachineOptions extends KernelMachineOptions {
  /** What becomes of the kernel's code. `direct`: nothing, which is trap-and-emulate. Default `translated`. */
  readonly kernelCode?: "translated" | "direct";
  /** Size of the translation cache in bytes; all that its region has room for unless told. */
  readonly cacheBytes?: number;
}

/** Bytes of the host that a guest takes: its memory and what the hypervisor keeps for it. */
export function hostBytesFor(memoryBytes: number): number {
  return memoryBytes + (shadowFrames + regionFrames) * frameBytes;
}

/**
 * @throws {ImageError} when a file of the guest is malformed or does not fit.
 * @throws {RangeError} when the claim is smaller than {@link hostBytesFor} says.
 */
export function binaryTranslationMachine(
  options: BinaryTranslationMachineOptions,
): VirtualPc<TranslationCore> {
  const { claim, kernelCode = "translated" } = options;
  const frames = claim.frames.allotRun(regionFrames + shadowFrames);
  if (frames === undefined) {
    throw new RangeError(
      `There is no room for the ${regionFrames + shadowFrames} frames of the hypervisor.`,
    );
  }
  const pc: VirtualPc<TranslationCore> = new VirtualPc({
    ...options,
    processor: (board) => ({
      profile: hostProfile,
      extensions:
        kernelCode === "direct"
          ? [sensitiveExtension((instruction) => pc.core.noteSensitive(instruction))]
          : [],
      // A program that its kernel gave ports (IOPL 3) reaches the board while it runs.
      ports: board.ports,
      delivery: "monitor",
    }),
    core: (machine) => new TranslationCore({ ...options, kernelCode, pc: machine, frames }),
  });
  return pc;
}
