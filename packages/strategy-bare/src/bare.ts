/** The strategy's description, and the checks before a machine is made. */
import { ImageError, maximumMemoryBytes, minimumMemoryBytes } from "@ringside/machine";
import {
  StrategyError,
  virtualMachine,
  type CreateOptions,
  type Guest,
  type Host,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import { BareCore } from "./bare-core.ts";

const id = "bare";

export const bare: Strategy = {
  id,
  name: "Bare",
  summary: "No hypervisor: the guest kernel runs in ring 0 and owns the machine.",
  traits: {
    guestKernel: "unmodified",
    guestKernelLevel: 0,
    extensions: [],
    exclusive: true,
  },
  capabilities: { programs: true, kernels: true, selfModifyingCode: true },
  accepts: () => ({ accepted: true }),
  create,
};

function create(host: Host, guest: Guest, options: CreateOptions = {}): VirtualMachine {
  checkGuest(guest);
  if (guest.memoryBytes > host.memoryBytes) {
    throw new StrategyError(
      id,
      "out-of-memory",
      `The guest wants ${guest.memoryBytes} bytes and the host has ${host.memoryBytes}. Give the host more, or the guest less.`,
    );
  }
  const claim = host.claimAll(id);
  try {
    return virtualMachine(id, new BareCore(claim, guest, options), options.trace);
  } catch (cause) {
    claim[Symbol.dispose]();
    // Loaders and the packer of the initrd complain about files and strings of the guest.
    if (!(cause instanceof ImageError) && !(cause instanceof RangeError)) throw cause;
    throw new StrategyError(id, "invalid-guest", cause.message, { cause });
  }
}

function checkGuest(guest: Guest): void {
  const { memoryBytes } = guest;
  if (
    !Number.isInteger(memoryBytes) ||
    memoryBytes < minimumMemoryBytes ||
    memoryBytes > maximumMemoryBytes ||
    memoryBytes % 4096 !== 0
  ) {
    throw new StrategyError(
      id,
      "invalid-option",
      `memoryBytes is ${memoryBytes}. Pass a multiple of 4096 from ${minimumMemoryBytes} to ${maximumMemoryBytes}.`,
    );
  }
  if (guest.kind !== "program") return;
  const [program] = guest.argv;
  if (program === undefined || !guest.files.has(program)) {
    throw new StrategyError(
      id,
      "invalid-guest",
      `The program is ${program === undefined ? "not named" : `"${program}", which is not among the files`}. Pass its absolute path as argv[0] and its bytes in files.`,
    );
  }
}
