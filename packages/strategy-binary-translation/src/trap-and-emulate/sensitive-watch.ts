/**
 * What goes wrong without translation: sensitive instructions that the processor executes silently outside ring 0.
 *
 * The processor tells of each before it executes it (a prologue in front of the rows that are sensitive and not privileged).
 * What it should do is found by executing it on a copy of the guest's own state; what it did is seen behind it. The two
 * are compared: registers, flags, segments and memory.
 */
import {
  noAccessors,
  registerName,
  SEGMENTS,
  slots,
  VirtualProcessor,
  type Instruction,
  type ProcessorExtension,
  type ProcessorProfile,
  type ProcessorState,
} from "@ringside/isa";
import type { GuestDevices, GuestMemory } from "@ringside/hypervisor";

/** An instruction of the guest that was executed silently, at one place. */
export interface SilentInstruction {
  readonly rip: bigint;
  readonly mnemonic: string;
  /** Why it is sensitive, from its row. */
  readonly why: string;
  readonly times: number;
  /** How often it did something else than in ring 0. */
  readonly wrong: number;
  /** The first difference, in words. */
  readonly difference: string | undefined;
}

interface Noted {
  readonly rip: bigint;
  readonly mnemonic: string;
  readonly why: string;
  times: number;
  wrong: number;
  difference: string | undefined;
}

export interface SensitiveWatchOptions {
  readonly profile: ProcessorProfile;
  readonly memory: GuestMemory;
  readonly devices: GuestDevices;
  readonly now: () => number;
  /** Makes the processor come back behind the present instruction. */
  readonly stop: () => void;
  /** The processor's registers, and the rest of the guest's. */
  readonly physical: () => ProcessorState;
  readonly guest: () => ProcessorState;
}

const deprivilegedLevel = 1n;
/** General registers, RIP and status flags lie in front of the system flags in a state block. */
const liveBytes = slots.flagsSystem.offset;
const stateBytes = 0x600;

/** The processor's part: `onSensitive` is told before a silent instruction at CPL 1. */
export function sensitiveExtension(
  onSensitive: (instruction: Instruction) => void,
): ProcessorExtension {
  const instructions: Instruction[] = [];
  return {
    id: "sensitive-watch",
    intercept: (instruction) => {
      const { classification } = instruction;
      if (classification?.sensitive === undefined || classification.privilege !== "none") {
        return undefined;
      }
      const number = instructions.push(instruction) - 1;
      return (m) => {
        m.when(m.equal(m.state(slots.cpl), m.constant(deprivilegedLevel)), () => {
          m.setState(slots.monitorRip, m.thisRip());
          m.helper("noteSensitive", [m.toI32(m.constant(number))]);
        });
      };
    },
    attach: () => ({
      exit: () => "continue",
      helpers: {
        noteSensitive: (number = 0) => {
          const instruction = instructions[number];
          if (instruction !== undefined) onSensitive(instruction);
        },
      },
    }),
  };
}

export class SensitiveWatch {
  readonly #o: SensitiveWatchOptions;
  readonly #reference: VirtualProcessor;
  /** What the reference has written, by guest-physical address. */
  readonly #written = new Map<number, number>();
  readonly #noted = new Map<string, Noted>();
  #waiting: Noted | undefined;

  constructor(options: SensitiveWatchOptions) {
    this.#o = options;
    const { devices, memory, profile, now } = options;
    this.#reference = new VirtualProcessor({
      profile,
      accessors: {
        ...noAccessors,
        readPhysical: (gpa, bytes) => {
          if (memory.isRam(gpa)) bytes.set(memory.peek(gpa, bytes.length));
          else bytes.fill(0xff);
          for (let at = 0; at < bytes.length; at += 1) {
            bytes[at] = this.#written.get(gpa + at) ?? bytes[at] ?? 0;
          }
        },
        writePhysical: (gpa, bytes) => {
          for (const [at, byte] of bytes.entries()) this.#written.set(gpa + at, byte);
        },
        readTaskPriority: () => devices.board.interrupts.readTaskPriority(),
        now,
      },
    });
  }

  /** A silent instruction is being executed, or has been. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** What was executed silently, in the order in which it was met. */
  get silent(): readonly SilentInstruction[] {
    return [...this.#noted.values()];
  }

  /** The processor is about to execute an instruction at CPL 1. */
  note({ mnemonic, classification }: Instruction): void {
    const physical = this.#o.physical();
    const rip = physical.get(slots.monitorRip);
    const key = `${rip}:${mnemonic}`;
    let noted = this.#noted.get(key);
    if (noted === undefined) {
      noted = {
        rip,
        mnemonic,
        why: classification?.why ?? "",
        times: 0,
        wrong: 0,
        difference: undefined,
      };
      this.#noted.set(key, noted);
    }
    this.#waiting = noted;
    this.#execute(physical, this.#o.guest());
    this.#o.stop();
  }

  /** It trapped after all. */
  forget(): void {
    const noted = this.#waiting;
    this.#waiting = undefined;
    if (noted !== undefined && noted.times === 0)
      this.#noted.delete(`${noted.rip}:${noted.mnemonic}`);
  }

  /** It was executed, and left the guest's processor as `state`. */
  compare(state: ProcessorState): void {
    const noted = this.#waiting;
    this.#waiting = undefined;
    if (noted === undefined) return;
    noted.times += 1;
    const difference = this.#difference(state);
    if (difference === undefined) return;
    noted.wrong += 1;
    noted.difference ??= difference;
  }

  /** Executes it on a copy of the guest's state, as ring 0 would. */
  #execute(physical: ProcessorState, guest: ProcessorState): void {
    this.#written.clear();
    const { state } = this.#reference;
    const block = (of: ProcessorState, bytes: number): Uint8Array =>
      new Uint8Array(of.buffer, of.base, bytes);
    block(state, stateBytes).set(block(guest, stateBytes));
    block(state, liveBytes).set(block(physical, liveBytes));
    state.rip = physical.get(slots.monitorRip);
    state.setControl("efer", guest.efer);
    this.#reference.emulateOne();
  }

  #difference(actual: ProcessorState): string | undefined {
    const expected = this.#reference.state;
    for (let number = 0; number < 16; number += 1) {
      const [is, should] = [actual.register(number), expected.register(number)];
      if (is !== should) {
        return `${registerName("register", number, 64).toUpperCase()} is 0x${is.toString(16)}, in ring 0 0x${should.toString(16)}`;
      }
    }
    if (actual.rflags !== expected.rflags) return flagDifference(actual.rflags, expected.rflags);
    for (const name of SEGMENTS) {
      const [is, should] = [actual.segment(name).selector, expected.segment(name).selector];
      if (is !== should) {
        return `${name.toUpperCase()} is 0x${is.toString(16)}, in ring 0 0x${should.toString(16)}`;
      }
    }
    return this.#memoryDifference();
  }

  #memoryDifference(): string | undefined {
    const { memory } = this.#o;
    const addresses = [...this.#written.keys()].toSorted((a, b) => a - b);
    const wrong = addresses.some(
      (gpa) => memory.isRam(gpa) && memory.peek(gpa, 1)[0] !== this.#written.get(gpa),
    );
    if (!wrong) return undefined;
    const hex = (byte: (gpa: number) => number): string =>
      addresses
        .toReversed()
        .map((gpa) => byte(gpa).toString(16).padStart(2, "0"))
        .join("");
    return `it stored 0x${hex((gpa) => (memory.isRam(gpa) ? (memory.peek(gpa, 1)[0] ?? 0) : 0xff))}, in ring 0 0x${hex((gpa) => this.#written.get(gpa) ?? 0)}`;
  }
}

const flagNames: readonly (readonly [bigint, string])[] = [
  [0x200n, "IF"],
  [0x3000n, "IOPL"],
  [0x100n, "TF"],
  [0x4000n, "NT"],
  [0x40n, "ZF"],
];

function flagDifference(is: bigint, should: bigint): string {
  const changed = flagNames.filter(([bit]) => ((is ^ should) & bit) !== 0n);
  if (changed.length === 0)
    return `RFLAGS is 0x${is.toString(16)}, in ring 0 0x${should.toString(16)}`;
  return changed
    .map(
      ([bit, name]) =>
        `${name} stays ${valueOf(is, bit)}, in ring 0 it becomes ${valueOf(should, bit)}`,
    )
    .join("; ");
}

function valueOf(flags: bigint, mask: bigint): bigint {
  return (flags & mask) / (mask & -mask);
}
