/**
 * A strategy as a third party writes one: kernels alone, on the machine, with nothing between.
 *
 * It knows the packages by their entry points and documentation, like anybody. It refuses programs, so the suite
 * also meets a strategy that lacks a capability.
 */
import { enterKernel, ImageError, loadKernel, Machine, type MachineExit } from "@ringside/machine";
import {
  countTree,
  defaultEpochSeconds,
  StrategyError,
  virtualMachine,
  type Claim,
  type Counts,
  type CreateOptions,
  type Exit,
  type Guest,
  type Host,
  type KernelGuest,
  type MachineCore,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import { inspectorOf } from "./inspector.ts";

const minimumBytes = 1 << 20;

export const solo: Strategy = {
  id: "solo",
  name: "Solo",
  summary: "One kernel on one machine; programs are somebody else's business.",
  traits: { guestKernel: "unmodified", guestKernelLevel: 0, extensions: [], exclusive: true },
  // No promise about code that writes itself: the suite tries that with a program, and this runs none.
  capabilities: { programs: false, kernels: true, selfModifyingCode: false },
  accepts,
  create,
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

function create(host: Host, guest: Guest, options: CreateOptions = {}): VirtualMachine {
  if (guest.kind !== "kernel") {
    throw new StrategyError("solo", "guest-refused", "It was given a program. Pass a kernel.");
  }
  const acceptance = accepts(guest);
  if (!acceptance.accepted) throw new StrategyError("solo", "guest-refused", acceptance.reason);
  const { memoryBytes } = guest;
  if (!Number.isInteger(memoryBytes) || memoryBytes < minimumBytes || memoryBytes % 4096 !== 0) {
    throw new StrategyError(
      "solo",
      "invalid-option",
      `memoryBytes is ${memoryBytes}. Pass a multiple of 4096 from ${minimumBytes}.`,
    );
  }
  if (memoryBytes > host.memoryBytes) {
    throw new StrategyError(
      "solo",
      "out-of-memory",
      `The guest wants ${memoryBytes} bytes and the host has ${host.memoryBytes}.`,
    );
  }
  const claim = host.claimAll("solo");
  try {
    return virtualMachine("solo", soloCore(claim, guest, options), options.trace);
  } catch (cause) {
    claim[Symbol.dispose]();
    if (!(cause instanceof ImageError)) throw cause;
    throw new StrategyError("solo", "invalid-guest", cause.message, { cause });
  }
}

function soloCore(claim: Claim, guest: KernelGuest, options: CreateOptions): MachineCore {
  const mark = options.trace?.mark;
  const machine = new Machine({
    memory: claim.memory,
    memoryBytes: guest.memoryBytes,
    epochSeconds: options.epochSeconds ?? defaultEpochSeconds,
    onSerial: (bytes) => options.output?.stdout?.(bytes),
    onDebug: (bytes) => options.output?.log?.(bytes),
    ...(mark === undefined
      ? {}
      : { onMark: (id: number) => mark({ type: "mark", units: machine.units, id }) }),
  });
  const inspect = inspectorOf(machine.processor);
  let countsBefore: Readonly<Record<string, number>> = {};

  function boot(): void {
    machine.reset();
    countsBefore = machine.processor.counts();
    enterKernel(
      machine.processor.state,
      loadKernel(claim.memory.physical, guest.memoryBytes, guest),
    );
  }

  function exitOf(exit: MachineExit): Exit {
    switch (exit.reason) {
      case "powered-off":
        return { reason: "halted", value: exit.value };
      case "halted":
      case "restarting":
        return { reason: "halted", value: undefined };
      case "shutdown":
        return { reason: "crashed", why: exit.why, registers: inspect.registers() };
      case "waiting":
        return { reason: "waiting" };
      case "limit":
      case "stopped":
        return { reason: "limit" };
      case "event":
      case "extension":
        throw new Error(`The machine left for its ${exit.reason}, which nobody asked for.`);
    }
  }

  boot();
  return {
    inspect,
    run: (limitUnits) => exitOf(machine.run(limitUnits)),
    interrupt: () => machine.requestStop(),
    reset: () => {
      claim.memory.physical.fill(0, 0, guest.memoryBytes);
      boot();
    },
    write: (bytes) => machine.send(bytes),
    endInput: () => machine.endInput(),
    get bufferedBytes() {
      return machine.serial.unreadBytes;
    },
    inputClosed: false,
    get units() {
      return machine.units;
    },
    counts: () => countsOf(machine, countsBefore),
    dispose: () => claim[Symbol.dispose](),
  };
}

/** The processor's counts since the last boot, under the names of the contract. */
function countsOf(machine: Machine, before: Readonly<Record<string, number>>): Counts {
  const rings: Record<string, number> = {};
  const mnemonics: Record<string, number> = {};
  const translation: Record<string, number> = {};
  const others: Record<string, number> = {};
  for (const [name, value] of Object.entries(machine.processor.counts())) {
    const [group, rest] = [name.split(".", 1)[0] ?? "", name.slice(name.indexOf(".") + 1)];
    let [target, key] = [others, name];
    if (group === "instructions")
      [target, key] = [/^ring[0-3]$/u.test(rest) ? rings : mnemonics, rest];
    else if (["walks", "walkReferences", "tlbFills"].includes(name)) target = translation;
    const since = value - (before[name] ?? 0);
    if (since > 0) target[key] = since;
  }
  return {
    exceptions: {},
    interrupts: {},
    ...countTree(others),
    units: machine.units,
    instructions: Object.values(rings).reduce((sum, value) => sum + value, 0),
    rings: countTree(rings),
    mnemonics: countTree(mnemonics),
    translation: countTree(translation),
  };
}
