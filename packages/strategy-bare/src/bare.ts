/** The strategy's description, and how its machines are made. */
import { programCarrier } from "@ringside/guest";
import {
  createKernelMachine,
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
  const { processor } = options;
  return createKernelMachine({
    strategy: bare.id,
    host,
    guest,
    options,
    accepts,
    takesProcessor: true,
    hostBytes: guest.memoryBytes,
    programs: programCarrier(),
    machine: (machine) =>
      new BareMachine({ ...machine, ...(processor === undefined ? {} : { processor }) }),
  });
}
