/** How a strategy whose guests are kernels makes a machine: a program is given a kernel, and all else is the same for both. */
import { createExclusive, type ExclusiveOrder } from "./create-exclusive.ts";
import { StrategyError } from "./error.ts";
import { KernelCore } from "./kernel-core.ts";
import type { KernelMachine, KernelMachineOptions } from "./kernel-machine.ts";
import type { ProgramCarrier } from "./program-carrier.ts";
import { defaultEpochSeconds } from "./strategy.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

export interface KernelMachineOrder extends Omit<ExclusiveOrder, "core"> {
  /** Runs programs; without it `accepts` has to refuse them. */
  readonly programs?: ProgramCarrier;
  /** May throw {@link ImageError} and RangeError for what is wrong with the guest's files and strings. */
  readonly machine: (options: KernelMachineOptions) => KernelMachine;
}

/** @throws {StrategyError} As `Strategy.create`. */
export function createKernelMachine(order: KernelMachineOrder): VirtualMachine {
  const { strategy, guest, options, programs, machine } = order;
  return createExclusive({
    ...order,
    core(claim) {
      const carried = guest.kind === "kernel" ? undefined : programs;
      const kernel = guest.kind === "kernel" ? guest : carried?.kernel(guest);
      if (kernel === undefined) {
        throw new StrategyError(
          strategy,
          "guest-refused",
          "It was given a program and has no kernel to run one on. Pass a kernel.",
        );
      }
      const { epochSeconds = defaultEpochSeconds } = options;
      const { memoryBytes } = guest;
      return new KernelCore({
        options,
        console: carried && ((listeners) => carried.console(listeners)),
        machine: (listeners) => machine({ ...listeners, claim, memoryBytes, kernel, epochSeconds }),
        release: () => claim[Symbol.dispose](),
      });
    },
  });
}
