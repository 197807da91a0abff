/** The strategy's description, and how its machines are made. */
import { ProgramConsole, programKernel } from "@ringside/guest";
import {
  createExclusive,
  KernelCore,
  type Acceptance,
  type CreateOptions,
  type Guest,
  type Host,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import { BinaryTranslationMachine, hostBytesFor } from "./binary-translation-machine.ts";

export const binaryTranslation: Strategy = {
  id: "binary-translation",
  name: "Binary translation",
  summary:
    "The guest kernel is translated into a cache that runs in ring 1; programs run directly, on shadow page tables.",
  traits: {
    guestKernel: "unmodified",
    guestKernelLevel: 1,
    extensions: [],
    // A host has one processor, which holds one guest's registers.
    exclusive: true,
  },
  capabilities: { programs: true, kernels: true, selfModifyingCode: true },
  accepts,
  create,
};

function accepts(guest: Guest): Acceptance {
  if (guest.kind === "program" || guest.format === "elf64" || guest.format === "flat") {
    return { accepted: true };
  }
  return {
    accepted: false,
    reason: `A kernel in the format ${guest.format} starts in 32-bit code without paging, and only 64-bit code is translated. Use its 64-bit entry (elf64).`,
  };
}

function create(host: Host, guest: Guest, options: CreateOptions = {}): VirtualMachine {
  const { memoryBytes } = guest;
  return createExclusive({
    strategy: binaryTranslation.id,
    host,
    guest,
    options,
    accepts,
    hostBytes: hostBytesFor(memoryBytes),
    core: (claim) =>
      new KernelCore({
        claim,
        guest,
        options,
        console: (listeners) => new ProgramConsole(listeners),
        machine: (listeners, epochSeconds) =>
          new BinaryTranslationMachine({
            ...listeners,
            claim,
            memoryBytes,
            kernel: guest.kind === "kernel" ? guest : programKernel(guest),
            epochSeconds,
          }),
      }),
  });
}
