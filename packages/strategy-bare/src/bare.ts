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
import { BareMachine } from "./bare-machine.ts";

export const bare: Strategy = {
  id: "bare",
  name: "Bare",
  summary: "No hypervisor: the guest kernel runs in ring 0 and owns the machine.",
  traits: {
    guestKernel: "unmodified",
    guestKernelLevel: 0,
    extensions: [],
    exclusive: true,
  },
  capabilities: { programs: true, kernels: true, selfModifyingCode: true },
  accepts,
  create,
};

function accepts(guest: Guest): Acceptance {
  if (guest.kind === "program" || guest.format !== "xen-pv") return { accepted: true };
  return {
    accepted: false,
    reason: "A paravirtual kernel asks a hypervisor, and there is none. Use the paravirt strategy.",
  };
}

function create(host: Host, guest: Guest, options: CreateOptions = {}): VirtualMachine {
  const { memoryBytes } = guest;
  return createExclusive({
    strategy: bare.id,
    host,
    guest,
    options,
    accepts: bare.accepts,
    takesProcessor: true,
    hostBytes: memoryBytes,
    core: (claim) =>
      new KernelCore({
        claim,
        guest,
        options,
        console: (listeners) => new ProgramConsole(listeners),
        machine: (listeners, epochSeconds) =>
          new BareMachine({
            ...listeners,
            claim,
            memoryBytes,
            kernel: guest.kind === "kernel" ? guest : programKernel(guest),
            epochSeconds,
            ...(options.processor === undefined ? {} : { processor: options.processor }),
          }),
      }),
  });
}
