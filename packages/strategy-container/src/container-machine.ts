/** A container as the contract's virtual machine: what the shared life cycle needs to drive it. */
import { Processor } from "@ringside/isa";
import {
  countTree,
  defaultEpochSeconds,
  programStatus,
  StrategyError,
  type Claim,
  type Counts,
  type CreateOptions,
  type Exit,
  type Host,
  type Inspector,
  type MachineCore,
  type ProgramGuest,
} from "@ringside/strategy";
import { PAGE_BYTES } from "./abi/memory.ts";
import { startContainer, type ContainerFailure } from "./kernel/container.ts";
import { Frames } from "./kernel/frames.ts";
import { Kernel, type KernelExit } from "./kernel/kernel.ts";
import { ControlGroup } from "./namespaces/control-group.ts";
import { linuxSystemCalls } from "./syscalls/index.ts";

/** Options of the container beyond those of every strategy. */
export interface ContainerOptions {
  /** Processes and threads that exist at once, the first one included. At least 1. Default 1024. */
  readonly pidsLimit?: number;
  /** What uname and gethostname say; at most 64 bytes. Default `ringside`. */
  readonly hostName?: string;
  /** Start of the fixed sequence behind /dev/urandom, getrandom and AT_RANDOM: a 32-bit integer. Default 1. */
  readonly seed?: number;
}

const STRATEGY = "container";
const SMALLEST_MEMORY_BYTES = 1024 * 1024;

export class ContainerMachine implements MachineCore {
  readonly inspect: Inspector;
  readonly #claim: Claim;
  readonly #guest: ProgramGuest;
  readonly #options: CreateOptions & ContainerOptions;
  readonly #processor: Processor;
  #kernel: Kernel;
  #group: ControlGroup;
  /** Why the program could not be started: told at the first run. */
  #refusal: ContainerFailure | undefined;
  /** Units and counts of the processor when this container began. */
  #startUnits = 0;
  #startInstructions = 0;
  #startCounts: Readonly<Record<string, number>> = {};

  constructor(host: Host, guest: ProgramGuest, options: CreateOptions & ContainerOptions) {
    checkOptions(guest, options);
    this.#guest = guest;
    this.#options = options;
    if (host.freeBytes !== host.memoryBytes) {
      throw new StrategyError(
        STRATEGY,
        "host-busy",
        "A machine holds a part of the host, and its processor. Dispose that machine first: hosts have one processor.",
      );
    }
    this.#claim = host.claim(STRATEGY, guest.memoryBytes);
    const mark = options.trace?.mark;
    this.#processor = new Processor({
      memory: this.#claim.memory,
      // Programs reach no port: IOPL is 0, and there is no I/O permission map.
      ports: { read: () => 0xffff_ffff, write: () => {} },
      interrupts: { acknowledge: () => 0, readTaskPriority: () => 0, writeTaskPriority: () => {} },
      delivery: "monitor",
      ...(mark && { onMark: (id) => mark({ type: "mark", id, units: this.units }) }),
    });
    try {
      [this.#kernel, this.#group] = this.#boot();
    } catch (error) {
      this.#claim[Symbol.dispose]();
      throw error;
    }
    this.inspect = {
      registers: () => this.#kernel.cpu.registers(),
      translate: (linear) => {
        const space = this.#kernel.lastSpace;
        const physical = space?.locate(Number(linear)) ?? -1;
        return physical < 0 ? undefined : physical;
      },
      readMemory: (linear, lengthBytes) => this.#readMemory(Number(linear), lengthBytes),
    };
  }

  #boot(): [Kernel, ControlGroup] {
    const { base, sizeBytes, memory } = this.#claim;
    const guest = this.#guest;
    // Physical page 0 stands for "no frame".
    const skipped = base === 0 ? PAGE_BYTES : 0;
    const group = new ControlGroup({
      memoryBytes: guest.memoryBytes,
      pids: this.#options.pidsLimit ?? 1024,
    });
    const { stdout, stderr, log } = this.#options.output ?? {};
    const onCall = this.#options.trace?.["system-call"];
    const kernel = new Kernel({
      processor: this.#processor,
      frames: new Frames(memory.physical, base + skipped, sizeBytes - skipped),
      group,
      systemCalls: linuxSystemCalls,
      epochSeconds: this.#options.epochSeconds ?? defaultEpochSeconds,
      seed: this.#options.seed ?? 1,
      log: log && ((line) => log(new TextEncoder().encode(`${line}\n`))),
      trace: onCall && ((call) => onCall({ type: "system-call", units: this.units, ...call })),
    });
    this.#startUnits = kernel.units;
    this.#startInstructions = this.#processor.instructions;
    this.#startCounts = this.#processor.counts();
    const started = startContainer(kernel, group, {
      argv: guest.argv,
      env: guest.env,
      cwd: guest.cwd ?? "/",
      files: guest.files,
      hostName: this.#options.hostName ?? "ringside",
      stdout,
      stderr,
    });
    this.#refusal = "kind" in started ? started : undefined;
    const program = guest.argv[0] ?? "";
    if (this.#refusal?.kind === "not-started" && !guest.files.has(program)) {
      throw new StrategyError(
        STRATEGY,
        "invalid-guest",
        `The program ${JSON.stringify(program)} is not among the guest's files. Make argv[0] the absolute path of one of them.`,
      );
    }
    if (this.#refusal?.kind === "bad-path") {
      throw new StrategyError(
        STRATEGY,
        "invalid-guest",
        `The path ${JSON.stringify(this.#refusal.what)} cannot be in the guest. Give absolute paths of files below directories, and a working directory that exists.`,
      );
    }
    if (this.#refusal?.kind === "out-of-memory") {
      throw new StrategyError(
        STRATEGY,
        "out-of-memory",
        `The guest's files do not fit into its ${guest.memoryBytes} bytes of memory (at ${this.#refusal.what}). Give it more memory, or fewer files.`,
      );
    }
    return [kernel, group];
  }

  get units(): number {
    return this.#kernel === undefined ? 0 : this.#kernel.units - this.#startUnits;
  }

  get bufferedBytes(): number {
    return this.#kernel.console.input.bufferedBytes;
  }

  get inputClosed(): boolean {
    return this.#kernel.console.input.closed;
  }

  run(limitUnits: number): Exit {
    const refusal = this.#refusal;
    if (refusal?.kind === "not-started") {
      const message = `${refusal.what}: ${describeError(refusal.error)}\n`;
      this.#options.output?.stderr?.(new TextEncoder().encode(message));
      const code = refusal.error === ENOENT_NUMBER ? 127 : 126;
      return { reason: "exited", status: { kind: "code", code } };
    }
    return this.#translate(this.#kernel.run(limitUnits));
  }

  #translate(exit: KernelExit): Exit {
    switch (exit.reason) {
      case "ended":
        return { reason: "exited", status: programStatus(exit.status) };
      case "limit":
      case "waiting":
        return { reason: exit.reason };
      case "deadlock":
        return {
          reason: "crashed",
          why: "every process waits for another, and the input has ended",
          registers: this.#kernel.cpu.registers(),
        };
      case "shutdown":
        return { reason: "crashed", why: exit.why, registers: this.#kernel.cpu.registers() };
    }
  }

  interrupt(): void {
    this.#kernel.interrupt();
  }

  reset(): void {
    this.#claim.memory.physical.fill(this.#claim.base, 0, this.#claim.sizeBytes);
    this.#processor.reset();
    this.#processor.delivery = "monitor";
    [this.#kernel, this.#group] = this.#boot();
  }

  write(bytes: Uint8Array): void {
    this.#kernel.console.input.write(bytes);
  }

  endInput(): void {
    this.#kernel.console.input.end();
  }

  counts(): Counts {
    const kernel = this.#kernel;
    const flat: Record<string, number> = {
      units: this.units,
      instructions: this.#processor.instructions - this.#startInstructions,
    };
    const now = this.#processor.counts();
    for (const [name, value] of Object.entries(now)) {
      const since = value - (this.#startCounts[name] ?? 0);
      const renamed = renameCount(name);
      if (renamed !== undefined && since > 0) flat[renamed] = since;
    }
    for (const [number, count] of kernel.callCounts.entries()) {
      const name = linuxSystemCalls.rows[number]?.name ?? `unknown-${number}`;
      if (count > 0) flat[`systemCalls.${name}`] = count;
    }
    if (kernel.unknownCalls > 0) flat["systemCalls.unknown"] = kernel.unknownCalls;
    for (const [name, count] of Object.entries(kernel.counts)) flat[`kernel.${name}`] = count;
    flat["memory.framesInUse"] = this.#group.frames;
    flat["memory.peakBytes"] = this.#group.peakBytes;
    flat["memory.oomKills"] = this.#group.oomKills;
    flat["pids.peak"] = this.#group.peakPids;
    flat["pids.refused"] = this.#group.refusedForks;
    const groups = { rings: {}, mnemonics: {}, exceptions: {}, interrupts: {}, translation: {} };
    return { ...groups, ...countTree(flat) } as Counts;
  }

  #readMemory(linear: number, lengthBytes: number): Uint8Array | undefined {
    const space = this.#kernel.lastSpace;
    if (space === undefined || !Number.isSafeInteger(lengthBytes) || lengthBytes < 0)
      return undefined;
    const bytes = new Uint8Array(lengthBytes);
    for (let done = 0; done < lengthBytes;) {
      const physical = space.locate(linear + done);
      if (physical < 0) return undefined;
      const count = Math.min(lengthBytes - done, PAGE_BYTES - (physical % PAGE_BYTES));
      bytes.set(this.#claim.memory.physical.read(physical, count), done);
      done += count;
    }
    return bytes;
  }

  dispose(): void {
    this.#claim[Symbol.dispose]();
  }
}

const ENOENT_NUMBER = -2;

/** strerror of what execve gives. */
function describeError(error: number): string {
  const texts: Readonly<Record<number, string>> = {
    [-2]: "No such file or directory",
    [-5]: "Input/output error",
    [-7]: "Argument list too long",
    [-8]: "Exec format error",
    [-12]: "Cannot allocate memory",
    [-13]: "Permission denied",
    [-20]: "Not a directory",
    [-40]: "Too many levels of symbolic links",
  };
  return texts[error] ?? `error ${-error}`;
}

/** Where a count of the processor stands among those that every strategy has. */
function renameCount(name: string): string | undefined {
  if (name.startsWith("instructions.ring")) return name.replace("instructions.", "rings.");
  if (name.startsWith("instructions.")) return name.replace("instructions.", "mnemonics.");
  if (name.startsWith("exceptions.")) return undefined;
  if (["walks", "walkReferences", "tlbFills"].includes(name)) return `translation.${name}`;
  return name.includes(".") ? name : `processor.${name}`;
}

function checkOptions(guest: ProgramGuest, options: CreateOptions & ContainerOptions): void {
  const fail = (message: string): never => {
    throw new StrategyError(STRATEGY, "invalid-option", message);
  };
  const { memoryBytes, argv } = guest;
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes < SMALLEST_MEMORY_BYTES) {
    fail(`memoryBytes is ${memoryBytes}. Pass an integer of at least ${SMALLEST_MEMORY_BYTES}.`);
  }
  if (argv.length === 0) {
    throw new StrategyError(
      STRATEGY,
      "invalid-guest",
      "argv is empty. Pass at least the path of the program.",
    );
  }
  const { pidsLimit = 1, hostName = "", seed = 0 } = options;
  if (!Number.isSafeInteger(pidsLimit) || pidsLimit < 1) {
    fail(`pidsLimit is ${pidsLimit}. Pass an integer of at least 1.`);
  }
  if (new TextEncoder().encode(hostName).length > 64) {
    fail(`hostName has more than 64 bytes. Pass a shorter one.`);
  }
  if (!Number.isSafeInteger(seed)) fail(`seed is ${seed}. Pass an integer.`);
}
