/** The strategy's description, and how its machines are made. */
import { kernelXenImage, programCarrier } from "@ringside/guest";
import {
  createKernelMachine,
  type Acceptance,
  type CreateOptions,
  type Guest,
  type Host,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import type { FrameOrder } from "./memory/machine-memory.ts";
import { hostBytesFor, ParavirtMachine } from "./paravirt-machine.ts";

export interface ParavirtOptions {
  /**
   * How the domain's frames lie in the machine: `scrambled` (the default), so that code which takes one kind of
   * frame number for the other fails at once, or `identity`, in their own order, for debugging.
   */
  readonly frames?: FrameOrder;
}

/** Xen's paravirtualization. */
export const paravirt: Strategy<ParavirtOptions> = {
  id: "paravirt",
  name: "Paravirtualization",
  summary: "The guest kernel is built for it, runs in ring 3 and asks the hypervisor, as Xen's do.",
  traits: {
    guestKernel: "modified",
    guestKernelLevel: 3,
    extensions: [],
    // A host has one processor, which holds one guest's registers.
    exclusive: true,
  },
  // Kernels for the bare machine are not for it; those of the format xen-pv are.
  capabilities: { programs: true, kernels: false, selfModifyingCode: true },
  accepts,
  create,
};

function accepts(guest: Guest): Acceptance {
  if (guest.kind === "kernel" && guest.hardware !== undefined) {
    return {
      accepted: false,
      reason:
        "A paravirtual guest has no board that hardware could be plugged into. Leave the hardware out, or use the bare or vtx strategy.",
    };
  }
  if (guest.kind === "program" || guest.format === "xen-pv") return { accepted: true };
  return {
    accepted: false,
    reason: `A kernel in the format ${guest.format} expects a machine of its own, and paravirtualization has none to give. Use a kernel with Xen's paravirtual entry (xen-pv).`,
  };
}

function create(
  host: Host,
  guest: Guest,
  options: CreateOptions & ParavirtOptions = {},
): VirtualMachine {
  const { frames = "scrambled" } = options;
  return createKernelMachine({
    strategy: paravirt.id,
    host,
    guest,
    options,
    accepts,
    hostBytes: hostBytesFor(guest.memoryBytes),
    programs: programCarrier(kernelXenImage),
    machine: (machine) => new ParavirtMachine({ ...machine, frames }),
  });
}
