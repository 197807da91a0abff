/** The strategy's description, and how its machines are made. */
import { programCarrier } from "@ringside/guest";
import {
  createKernelMachine,
  type Acceptance,
  type CreateOptions,
  type Guest,
  type Host,
  type KernelFormat,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import { binaryTranslationMachine, hostBytesFor } from "./binary-translation-machine.ts";

/** The hypervisor by binary translation. */
export const binaryTranslation: Strategy = strategy(
  "binary-translation",
  "Binary translation",
  "The guest kernel is translated into a cache that runs in ring 1; programs run directly, on shadow page tables.",
  "translated",
);

/**
 * The negative example: the same without the translation. Kernels whose sensitive instructions all trap run; others go
 * wrong without a word. {@link runTrapAndEmulate} says where.
 */
export const trapAndEmulate: Strategy = strategy(
  "trap-and-emulate",
  "Trap and emulate",
  "The guest kernel runs as it stands in ring 1, and what traps is emulated. What should trap and does not, goes wrong.",
  "direct",
);

function strategy(
  id: string,
  name: string,
  summary: string,
  kernelCode: "translated" | "direct",
): Strategy {
  return {
    id,
    name,
    summary,
    traits: {
      guestKernel: "unmodified",
      guestKernelLevel: 1,
      extensions: [],
      // A host has one processor, which holds one guest's registers.
      exclusive: true,
    },
    capabilities: { programs: true, kernels: true, selfModifyingCode: true },
    accepts,
    create: (host, guest, options = {}) => create(id, kernelCode, host, guest, options),
  };
}

/** Formats whose kernels are entered in 64-bit code, all that is translated. */
const longFormats: ReadonlySet<KernelFormat> = new Set(["elf64", "flat", "bzimage"]);

function accepts(guest: Guest): Acceptance {
  if (guest.kind === "program" || longFormats.has(guest.format)) return { accepted: true };
  if (guest.format === "xen-pv") {
    return {
      accepted: false,
      reason:
        "A paravirtual kernel asks Xen for what binary translation does by itself. Use the paravirt strategy.",
    };
  }
  return {
    accepted: false,
    reason: `A kernel in the format ${guest.format} starts in 32-bit code without paging, and only 64-bit code is translated. Use its 64-bit entry (elf64 or bzimage).`,
  };
}

function create(
  strategyId: string,
  kernelCode: "translated" | "direct",
  host: Host,
  guest: Guest,
  options: CreateOptions,
): VirtualMachine {
  return createKernelMachine({
    strategy: strategyId,
    host,
    guest,
    options,
    accepts,
    hostBytes: hostBytesFor(guest.memoryBytes),
    programs: programCarrier(),
    machine: (machine) => binaryTranslationMachine({ ...machine, kernelCode }),
  });
}
