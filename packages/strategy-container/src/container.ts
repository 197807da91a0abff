/** The strategy: containers on one shared kernel. */
import {
  StrategyError,
  virtualMachine,
  type Acceptance,
  type Guest,
  type Strategy,
  refuseProcessor,
} from "@ringside/strategy";
import { ContainerMachine, type ContainerOptions } from "./container-machine.ts";

const REFUSES_KERNELS =
  "A container has no kernel of its own: all containers share one, written in TypeScript. Run a program instead.";

function accepts(guest: Guest): Acceptance {
  return guest.kind === "program"
    ? { accepted: true }
    : { accepted: false, reason: REFUSES_KERNELS };
}

export const container: Strategy<ContainerOptions> = {
  id: "container",
  name: "Container",
  summary: "No guest kernel: programs run on one shared kernel, apart by namespaces and limits.",
  traits: {
    guestKernel: "shared",
    guestKernelLevel: null,
    extensions: [],
    exclusive: false,
    unmodelled:
      "The shared kernel is TypeScript and retires no instruction, so its part of the work has no cycles; see the counts and the wall time.",
  },
  capabilities: { programs: true, kernels: false, selfModifyingCode: true },
  accepts,

  create(host, guest, options = {}) {
    if (guest.kind !== "program") {
      throw new StrategyError("container", "guest-refused", REFUSES_KERNELS);
    }
    refuseProcessor("container", options);
    return virtualMachine("container", new ContainerMachine(host, guest, options), options.trace);
  },
};
