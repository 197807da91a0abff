/** How a strategy that takes a whole host makes a machine: the checks first, then the core, nothing held on failure. */
import {
  ImageError,
  maximumMemoryBytes,
  minimumMemoryBytes,
  takesModules,
} from "@ringside/machine";
import { StrategyError } from "./error.ts";
import type { Guest } from "./guest.ts";
import type { Claim, Host } from "./host.ts";
import { virtualMachine, type MachineCore } from "./life-cycle.ts";
import type { Acceptance, CreateOptions } from "./strategy.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

export interface ExclusiveOrder {
  /** Id of the strategy. */
  readonly strategy: string;
  readonly host: Host;
  readonly guest: Guest;
  readonly options: CreateOptions;
  /** Whether {@link core} heeds `options.processor`; one that is given is refused else. */
  readonly takesProcessor?: boolean;
  readonly accepts: (guest: Guest) => Acceptance;
  /** Bytes of the host that the guest takes: its memory and what a hypervisor keeps for it. */
  readonly hostBytes: number;
  /** May throw {@link ImageError} and RangeError for what is wrong with the guest's files and strings. */
  readonly core: (claim: Claim) => MachineCore;
}

/** @throws {StrategyError} As `Strategy.create`. */
export function createExclusive(order: ExclusiveOrder): VirtualMachine {
  const { strategy, host, guest, options, hostBytes } = order;
  const acceptance = order.accepts(guest);
  if (!acceptance.accepted) throw new StrategyError(strategy, "guest-refused", acceptance.reason);
  checkGuest(strategy, guest);
  refuseProcessor(strategy, options, order.takesProcessor ?? false);
  if (hostBytes > host.memoryBytes) {
    const more = hostBytes > guest.memoryBytes ? `, ${hostBytes} with what is kept for it,` : "";
    throw new StrategyError(
      strategy,
      "out-of-memory",
      `The guest wants ${guest.memoryBytes} bytes${more} and the host has ${host.memoryBytes}. Give the host more, or the guest less.`,
    );
  }
  const claim = host.claimAll(strategy);
  try {
    return virtualMachine(strategy, order.core(claim), options.trace);
  } catch (cause) {
    claim[Symbol.dispose]();
    // Loaders and the packer of the initrd complain about files and strings of the guest.
    if (!(cause instanceof ImageError) && !(cause instanceof RangeError)) throw cause;
    throw new StrategyError(strategy, "invalid-guest", cause.message, { cause });
  }
}

/**
 * For strategies whose machines have the default processor alone.
 *
 * @throws {StrategyError} `invalid-option` when the options name another.
 */
export function refuseProcessor(
  strategy: string,
  { processor }: CreateOptions,
  takesProcessor = false,
): void {
  if (processor === undefined || takesProcessor) return;
  throw new StrategyError(
    strategy,
    "invalid-option",
    `The processor "${processor.id}" was asked for, and its machines have the default one alone. Leave it out, or take another strategy, such as bare.`,
  );
}

function checkGuest(strategy: string, guest: Guest): void {
  const { memoryBytes } = guest;
  if (
    !Number.isInteger(memoryBytes) ||
    memoryBytes < minimumMemoryBytes ||
    memoryBytes > maximumMemoryBytes ||
    memoryBytes % 4096 !== 0
  ) {
    throw new StrategyError(
      strategy,
      "invalid-option",
      `memoryBytes is ${memoryBytes}. Pass a multiple of 4096 from ${minimumMemoryBytes} to ${maximumMemoryBytes}.`,
    );
  }
  if (guest.kind === "kernel") {
    const { format, modules = [] } = guest;
    if (modules.length === 0 || takesModules(format)) return;
    throw new StrategyError(
      strategy,
      "invalid-option",
      `A kernel of the format "${format}" was given ${modules.length} modules, and takes an initrd alone. Pass none, or a kernel that takes them.`,
    );
  }
  const [program] = guest.argv;
  if (program === undefined || !guest.files.has(program)) {
    throw new StrategyError(
      strategy,
      "invalid-guest",
      `The program is ${program === undefined ? "not named" : `"${program}", which is not among the files`}. Pass its absolute path as argv[0] and its bytes in files.`,
    );
  }
}
