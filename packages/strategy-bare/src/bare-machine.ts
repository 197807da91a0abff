/** One bare machine: a PC with the guest's kernel loaded. */
import type { Processor, ProcessorProfile } from "@ringside/isa";
import { enterKernel, loadKernel, Machine } from "@ringside/machine";
import {
  GuestInspector,
  ProcessorDebugger,
  processorCounts,
  shownRegisters,
  type Counts,
  type Debugger,
  type Inspector,
  type KernelMachine,
  type KernelMachineExit,
  type KernelMachineOptions,
} from "@ringside/strategy";

export interface BareMachineOptions extends KernelMachineOptions {
  /** The default without it. */
  readonly processor?: ProcessorProfile;
}

export class BareMachine implements KernelMachine {
  readonly inspect: Inspector;
  readonly debug: Debugger;
  readonly #options: BareMachineOptions;
  readonly #machine: Machine;

  /** @throws {ImageError} when a file of the guest is malformed or does not fit. */
  constructor(options: BareMachineOptions) {
    const { claim, memoryBytes, epochSeconds, onSerial, onDebug, onMark, onDelivery } = options;
    this.#options = options;
    this.#machine = new Machine({
      memory: claim.memory,
      memoryBytes,
      hardware: options.kernel.hardware,
      epochSeconds,
      onSerial,
      onDebug,
      ...(options.processor === undefined ? {} : { profile: options.processor }),
      ...(onMark === undefined ? {} : { onMark }),
      ...(onDelivery === undefined ? {} : { onDelivery }),
    });
    const { processor, interrupts } = this.#machine;
    this.inspect = inspectorOf(processor);
    this.debug = new ProcessorDebugger({
      processor,
      inspect: this.inspect,
      readTaskPriority: () => interrupts.readTaskPriority(),
      writeTaskPriority: (priority) => interrupts.writeTaskPriority(priority),
    });
    this.#boot();
  }

  get units(): number {
    return this.#machine.units;
  }

  get now(): number {
    return this.#machine.now;
  }

  get unreadBytes(): number {
    return this.#machine.serial.unreadBytes;
  }

  run(limitUnits: number): KernelMachineExit {
    const exit = this.#machine.run(limitUnits);
    switch (exit.reason) {
      case "shutdown":
        return { reason: "crashed", why: exit.why };
      case "event":
      case "extension":
        throw new Error(
          `Bug in ringside: a bare machine left for its ${exit.reason}, please report.`,
        );
      default:
        return exit;
    }
  }

  requestStop(): void {
    this.#machine.requestStop();
  }

  send(bytes: Uint8Array): void {
    this.#machine.send(bytes);
  }

  endInput(): void {
    this.#machine.endInput();
  }

  powerDown(): void {
    this.#machine.powerDown();
  }

  reset(): void {
    this.#options.claim.memory.physical.fill(0, 0, this.#options.memoryBytes);
    this.#boot();
  }

  counts(): Counts {
    return processorCounts(this.#machine.processor.counts(), this.#machine.units);
  }

  #boot(): void {
    const { claim, memoryBytes, kernel } = this.#options;
    this.#machine.reset();
    const { state, profile } = this.#machine.processor;
    enterKernel(state, loadKernel(claim.memory.physical, memoryBytes, kernel), profile);
  }
}

function inspectorOf({ state, memory: { physical } }: Processor): Inspector {
  return new GuestInspector({
    memory: {
      sizeBytes: physical.sizeBytes,
      isRam: (at) => at < physical.sizeBytes,
      peek: (at, lengthBytes) => physical.read(at, lengthBytes),
    },
    registers: () => ({
      ...shownRegisters(state),
      cs_base: state.segment("cs").base,
      cs_attributes: BigInt(state.segment("cs").attributes),
    }),
    controls: () => state,
  });
}
