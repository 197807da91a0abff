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
import { hostBytesFor, type PagingKind } from "./vtx-machine.ts";

/** VT-x with extended page tables. */
export const vtx: Strategy = strategy(
  "vtx",
  "VT-x",
  "The processor virtualizes: the guest kernel runs in ring 0 of non-root mode, on extended page tables.",
  ["vmx", "ept", "vpid"],
  "ept",
);

/** VT-x as it began: without EPT and VPID, on shadow page tables. */
export const vtxShadow: Strategy = strategy(
  "vtx:shadow",
  "VT-x, shadow paging",
  "The processor virtualizes, without extended page tables: the hypervisor shadows the guest's own.",
  ["vmx"],
  "shadow",
);

function strategy(
  id: string,
  name: string,
  summary: string,
  extensions: readonly string[],
  paging: PagingKind,
): Strategy {
  return {
    id,
    name,
    summary,
    traits: {
      guestKernel: "unmodified",
      guestKernelLevel: 0,
      extensions,
      // A host has one processor, which holds one guest's registers.
      exclusive: true,
    },
    capabilities: { programs: true, kernels: true, selfModifyingCode: true },
    accepts,
    create: (host, guest, options = {}) => create(id, paging, host, guest, options),
  };
}

function accepts(guest: Guest): Acceptance {
  if (guest.kind === "program" || guest.format === "elf64" || guest.format === "flat") {
    return { accepted: true };
  }
  return {
    accepted: false,
    reason: `A kernel in the format ${guest.format} starts without paging, which needs a processor with unrestricted guests. Use its 64-bit entry (elf64).`,
  };
}

function create(
  id: string,
  paging: PagingKind,
  host: Host,
  guest: Guest,
  options: CreateOptions,
): VirtualMachine {
  const acceptance = accepts(guest);
  if (!acceptance.accepted) throw new StrategyError(id, "guest-refused", acceptance.reason);
  checkGuest(id, guest);
  const needed = hostBytesFor(guest.memoryBytes, paging);
  if (needed > host.memoryBytes) {
    throw new StrategyError(
      id,
      "out-of-memory",
      `The guest wants ${guest.memoryBytes} bytes, ${needed} with its page tables, and the host has ${host.memoryBytes}. Give the host more, or the guest less.`,
    );
  }
  const claim = host.claimAll(id);
  try {
    return virtualMachine(id, new VtxCore(claim, guest, paging, options), options.trace);
  } catch (cause) {
    claim[Symbol.dispose]();
    // Loaders and the packer of the initrd complain about files and strings of the guest.
    if (!(cause instanceof ImageError) && !(cause instanceof RangeError)) throw cause;
    throw new StrategyError(id, "invalid-guest", cause.message, { cause });
  }
}

function checkGuest(id: string, guest: Guest): void {
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
