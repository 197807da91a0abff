/**
 * A strategy as a third party writes one: kernels alone, on the machine, with nothing between.
 *
 * It knows the packages by their entry points and documentation, like anybody. It refuses programs, so the suite
 * also meets a strategy that lacks a capability.
 */
import { enterKernel, loadKernel, Machine } from "@ringside/machine";
import {
  createKernelMachine,
  GuestInspector,
  processorCounts,
  type Guest,
  type KernelMachine,
  type KernelMachineExit,
  type KernelMachineOptions,
  type Strategy,
} from "@ringside/strategy";

export const solo: Strategy = {
  id: "solo",
  name: "Solo",
  summary: "One kernel on one machine; programs are somebody else's business.",
  traits: { guestKernel: "unmodified", guestKernelLevel: 0, extensions: [], exclusive: true },
  // No promise about code that writes itself: the suite tries that with a program, and this runs none.
  capabilities: { programs: false, kernels: true, selfModifyingCode: false },
  accepts,
  create: (host, guest, options = {}) =>
    createKernelMachine({
      strategy: "solo",
      host,
      guest,
      options,
      accepts,
      hostBytes: guest.memoryBytes,
      machine: soloMachine,
    }),
};

function accepts(guest: Guest): ReturnType<Strategy["accepts"]> {
  if (guest.kind !== "kernel") {
    return { accepted: false, reason: "It has no kernel of its own to run a program on." };
  }
  if (guest.hardware !== undefined) {
    return { accepted: false, reason: "It has the small board alone. Leave the hardware out." };
  }
  return { accepted: true };
}

function soloMachine(options: KernelMachineOptions): KernelMachine {
  const { claim, memoryBytes, kernel, epochSeconds, onSerial, onDebug, onMark } = options;
  const { memory } = claim;
  const machine = new Machine({
    memory,
    memoryBytes,
    epochSeconds,
    onSerial,
    onDebug,
    ...(onMark === undefined ? {} : { onMark }),
  });
  const { processor, serial } = machine;

  function boot(): void {
    machine.reset();
    enterKernel(processor.state, loadKernel(memory.physical, memoryBytes, kernel));
  }

  function run(limitUnits: number): KernelMachineExit {
    const exit = machine.run(limitUnits);
    switch (exit.reason) {
      case "shutdown":
        return { reason: "crashed", why: exit.why };
      case "event":
      case "extension":
        throw new Error(`The machine left for its ${exit.reason}, which nobody asked for.`);
      default:
        return exit;
    }
  }

  boot();
  return {
    run,
    inspect: new GuestInspector({
      memory: {
        sizeBytes: memoryBytes,
        isRam: (physical) => physical < memoryBytes,
        peek: (physical, lengthBytes) => memory.physical.read(physical, lengthBytes),
      },
      registers: () => processor.state.registers(),
      controls: () => processor.state,
    }),
    get units() {
      return machine.units;
    },
    get unreadBytes() {
      return serial.unreadBytes;
    },
    requestStop: () => machine.requestStop(),
    send: (bytes) => machine.send(bytes),
    endInput: () => machine.endInput(),
    reset() {
      memory.physical.fill(0, 0, memoryBytes);
      boot();
    },
    counts: () => processorCounts(processor.counts(), machine.units),
  };
}
