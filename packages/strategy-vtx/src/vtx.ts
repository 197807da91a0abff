/** The strategy's description, and the checks before a machine is made. */
import { ImageError, maximumMemoryBytes, minimumMemoryBytes } from "@ringside/machine";
import {
  StrategyError,
  virtualMachine,
  type Acceptance,
  type CreateOptions,
  type Guest,
  type Host,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import { VtxCore } from "./vtx-core.ts";
import { hostBytesFor } from "./vtx-machine.ts";

const id = "vtx";

export const vtx: Strategy = {
  id,
  name: "VT-x",
  summary:
    "The processor virtualizes: the guest kernel runs in ring 0 of non-root mode, on extended page tables.",
  traits: {
    guestKernel: "unmodified",
    guestKernelLevel: 0,
    extensions: ["vmx", "ept", "vpid"],
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
    reason: `A kernel in the format ${guest.format} starts without paging, which needs a processor with unrestricted guests. Use its 64-bit entry (elf64).`,
  };
}

function create(host: Host, guest: Guest, options: CreateOptions = {}): VirtualMachine {
  const acceptance = accepts(guest);
  if (!acceptance.accepted) throw new StrategyError(id, "guest-refused", acceptance.reason);
  checkGuest(guest);
  const needed = hostBytesFor(guest.memoryBytes);
  if (needed > host.memoryBytes) {
    throw new StrategyError(
      id,
      "out-of-memory",
      `The guest wants ${guest.memoryBytes} bytes, ${needed} with its page tables, and the host has ${host.memoryBytes}. Give the host more, or the guest less.`,
    );
  }
  const claim = host.claimAll(id);
  try {
    return virtualMachine(id, new VtxCore(claim, guest, options), options.trace);
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
