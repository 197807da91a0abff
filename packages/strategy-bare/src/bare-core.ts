/**
 * One bare machine: boots the guest, connects its console, turns the machine's exits into the contract's.
 *
 * The life of a program: its files and arguments become an initrd for the guest kernel of `@ringside/guest`; that
 * kernel's init runs it and carries its streams and its exit status in frames over the serial port.
 */
import { kernelImage, ProgramConsole, programInitrd } from "@ringside/guest";
import {
  enterKernel,
  loadKernel,
  Machine,
  type KernelImage,
  type MachineExit,
} from "@ringside/machine";
import {
  countsBetween,
  defaultEpochSeconds,
  programStatus,
  type Claim,
  type Counts,
  type CountTree,
  type CreateOptions,
  type Exit,
  type Guest,
  type Inspector,
  type MachineCore,
  type ProgramGuest,
  type ProgramStatus,
} from "@ringside/strategy";
import { countsOf } from "./counts.ts";
import { inspectorOf } from "./inspector.ts";

export class BareCore implements MachineCore {
  readonly inspect: Inspector;
  readonly #claim: Claim;
  readonly #guest: Guest;
  readonly #kernel: KernelImage;
  readonly #options: CreateOptions;
  readonly #machine: Machine;
  #console: ProgramConsole;
  #countsAtReset: CountTree = {};
  /** The end of what the kernel logged, to say why it gave up. */
  #lastLog = "";

  /** @throws {ImageError} when a file of the guest is malformed or does not fit. */
  constructor(claim: Claim, guest: Guest, options: CreateOptions) {
    this.#claim = claim;
    this.#guest = guest;
    this.#options = options;
    this.#kernel = guest.kind === "kernel" ? guest : programKernel(guest);
    const { mark } = options.trace ?? {};
    this.#machine = new Machine({
      memory: claim.memory,
      memoryBytes: guest.memoryBytes,
      epochSeconds: options.epochSeconds ?? defaultEpochSeconds,
      onSerial: (bytes) => this.#onSerial(bytes),
      onDebug: (bytes) => this.#onLog(bytes),
      hardware: guest.kind === "kernel" ? guest.hardware : undefined,
      ...(mark === undefined
        ? {}
        : { onMark: (id: number) => mark({ type: "mark", units: this.units, id }) }),
    });
    this.inspect = inspectorOf(this.#machine.processor);
    this.#console = this.#newConsole();
    this.#boot();
  }

  get units(): number {
    return this.#machine.units;
  }

  get bufferedBytes(): number {
    return this.#machine.serial.unreadBytes;
  }

  get inputClosed(): boolean {
    return this.#console.inputClosed;
  }

  run(limitUnits: number): Exit {
    return this.#exitOf(this.#machine.run(limitUnits));
  }

  interrupt(): void {
    this.#machine.requestStop();
  }

  reset(): void {
    this.#claim.memory.physical.fill(0, 0, this.#guest.memoryBytes);
    this.#lastLog = "";
    this.#console = this.#newConsole();
    this.#boot();
  }

  write(bytes: Uint8Array): void {
    const pieces = this.#guest.kind === "kernel" ? [bytes] : this.#console.encodeInput(bytes);
    for (const piece of pieces) this.#machine.send(piece);
  }

  endInput(): void {
    if (this.#guest.kind === "program") {
      for (const piece of this.#console.encodeEnd()) this.#machine.send(piece);
    }
    this.#machine.endInput();
  }

  counts(): Counts {
    return countsBetween(this.#countsAtReset, countsOf(this.#machine));
  }

  dispose(): void {
    this.#claim[Symbol.dispose]();
  }

  #boot(): void {
    this.#machine.reset();
    // The processor counts on across resets.
    this.#countsAtReset = { ...countsOf(this.#machine), units: 0 };
    const entry = loadKernel(this.#claim.memory.physical, this.#guest.memoryBytes, this.#kernel);
    enterKernel(this.#machine.processor.state, entry);
  }

  #exitOf(exit: MachineExit): Exit {
    switch (exit.reason) {
      case "limit":
      case "waiting":
        return { reason: exit.reason };
      case "stopped":
        return { reason: "limit" };
      case "halted":
        return { reason: "halted", value: undefined };
      case "shutdown":
        return this.#crash(exit.why);
      case "event":
      case "extension":
        throw new Error(
          `Bug in ringside: a bare machine left for its ${exit.reason}, please report.`,
        );
      case "restarting":
        return { reason: "halted", value: undefined };
      case "powered-off":
        return this.#poweredOff(exit.value);
    }
  }

  #poweredOff(value: number | undefined): Exit {
    if (this.#guest.kind === "kernel") return { reason: "halted", value };
    const status = statusOf(this.#console.waitStatus);
    if (status !== undefined) return { reason: "exited", status };
    const log = this.#lastLog.trim();
    return this.#crash(
      `The guest kernel powered off with ${value ?? "no value"} and without an exit status${log === "" ? "" : `: ${log}`}`,
    );
  }

  #crash(why: string): Exit {
    return { reason: "crashed", why, registers: this.inspect.registers() };
  }

  #onSerial(bytes: Uint8Array): void {
    if (this.#guest.kind === "kernel") this.#options.output?.stdout?.(bytes);
    else this.#console.push(bytes);
  }

  #newConsole(): ProgramConsole {
    const { stdout, stderr } = this.#options.output ?? {};
    return new ProgramConsole({
      stdout,
      stderr,
      log: (bytes) => this.#onLog(bytes),
      inputClosed: () => this.#machine.endInput(),
    });
  }

  #onLog(bytes: Uint8Array): void {
    this.#lastLog = (this.#lastLog + new TextDecoder().decode(bytes)).slice(-1000);
    this.#options.output?.log?.(bytes);
  }
}

/** A program as a kernel guest: the guest kernel with the program in its initrd. */
function programKernel({ argv, env, cwd, files }: ProgramGuest): KernelImage {
  const entries = [...files].map(([path, { bytes, mode }]) => ({ path, mode, data: bytes }));
  const initrd = programInitrd({
    argv,
    env,
    files: entries,
    ...(cwd === undefined ? {} : { cwd }),
  });
  return { image: kernelImage(), format: "elf64", commandLine: "", initrd };
}

/** A guest that lies about the status has none, and its end is then reported as a crash. */
function statusOf(waitStatus: number | undefined): ProgramStatus | undefined {
  if (waitStatus === undefined) return undefined;
  try {
    return programStatus(waitStatus);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
