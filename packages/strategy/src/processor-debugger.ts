/** The debugger of a machine whose guest runs directly on one processor of isa, as its registers and tables stand. */
import { SEGMENTS, slots, type Processor, type SegmentName, type Slot } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import type { Debugger, DebugStops } from "./debugger.ts";
import type { Registers } from "./exit.ts";
import type { Inspector } from "./virtual-machine.ts";

export interface DebuggedMachine {
  readonly processor: Processor;
  readonly inspect: Inspector;
  readTaskPriority(): number;
  writeTaskPriority(priority: number): void;
}

/** A register that can be read and, where it has `write`, replaced. */
interface Register {
  readonly read: () => bigint;
  readonly write?: (value: bigint) => void;
}

const x87Bytes = 10;
const topShift = 11;

export class ProcessorDebugger implements Debugger {
  readonly #machine: DebuggedMachine;
  readonly #registers: ReadonlyMap<string, Register>;

  constructor(machine: DebuggedMachine) {
    this.#machine = machine;
    this.#registers = registersOf(machine);
  }

  registers(): Registers {
    return Object.fromEntries([...this.#registers].map(([name, { read }]) => [name, read()]));
  }

  writeRegister(name: string, value: bigint): boolean {
    const write = this.#registers.get(name)?.write;
    if (write === undefined) return false;
    write(value);
    return true;
  }

  writeMemory(linear: bigint, bytes: Uint8Array): boolean {
    const { processor, inspect } = this.#machine;
    const pieces: { readonly physical: number; readonly bytes: Uint8Array }[] = [];
    for (let done = 0; done < bytes.length;) {
      const physical = inspect.translate(BigInt.asUintN(64, linear + BigInt(done)));
      if (physical === undefined) return false;
      const length = Math.min(bytes.length - done, frameBytes - (physical % frameBytes));
      pieces.push({ physical, bytes: bytes.subarray(done, done + length) });
      done += length;
    }
    for (const piece of pieces) processor.memory.physical.write(piece.physical, piece.bytes);
    return true;
  }

  setStops({ breakpoints, watchpoints }: DebugStops): void {
    const { processor } = this.#machine;
    processor.breakpoints = breakpoints;
    processor.watchpoints = watchpoints;
  }
}

function registersOf(machine: DebuggedMachine): ReadonlyMap<string, Register> {
  const { state } = machine.processor;
  const all = new Map<string, Register>();
  const slot = (name: string, place: Slot): void => {
    all.set(name, {
      read: () => state.get(place),
      write: (value) => state.set(place, BigInt.asUintN(place.bytes * 8, value)),
    });
  };
  for (const [number, name] of Object.keys(state.registers()).entries()) {
    if (number >= 16) break;
    all.set(name, {
      read: () => state.register(number),
      write: (value) => state.setRegister(number, BigInt.asUintN(64, value)),
    });
  }
  slot("rip", slots.rip);
  all.set("rflags", {
    read: () => state.rflags,
    write: (value) => {
      state.rflags = BigInt.asUintN(64, value);
    },
  });
  for (const name of SEGMENTS) {
    const { selector, base } = segment(machine, name);
    all.set(name, selector);
    all.set(`${name}_base`, base);
    all.set(`${name}_limit`, { read: () => BigInt(state.segment(name).limit) });
    all.set(`${name}_attributes`, { read: () => BigInt(state.segment(name).attributes) });
  }
  for (const name of ["cr0", "cr3", "cr4", "efer"] as const) {
    all.set(name, {
      read: () => state[name],
      write: (value) => state.setControl(name, BigInt.asUintN(64, value)),
    });
  }
  all.set("cr8", {
    read: () => BigInt(machine.readTaskPriority()),
    write: (value) => machine.writeTaskPriority(Number(value & 0xfn)),
  });
  all.set("cpl", { read: () => BigInt(state.cpl) });
  for (const [name, place] of Object.entries(plainSlots)) slot(name, place);
  for (let index = 0; index < 8; index += 1) all.set(`st${index}`, stackRegister(machine, index));
  for (let number = 0; number < 16; number += 1) {
    all.set(`xmm${number}`, {
      read: () => fromBytes(state.xmm(number)),
      write: (value) => state.setXmm(number, toBytes(value, 16)),
    });
  }
  return all;
}

const plainSlots: Readonly<Record<string, Slot>> = {
  cr2: slots.cr2,
  kernel_gs_base: slots.kernelGsBase,
  gdtr_base: slots.gdtrBase,
  gdtr_limit: slots.gdtrLimit,
  idtr_base: slots.idtrBase,
  idtr_limit: slots.idtrLimit,
  star: slots.star,
  lstar: slots.lstar,
  cstar: slots.cstar,
  sfmask: slots.sfmask,
  dr0: slots.dr0,
  dr1: slots.dr1,
  dr2: slots.dr2,
  dr3: slots.dr3,
  dr6: slots.dr6,
  dr7: slots.dr7,
  fcw: slots.fcw,
  fsw: slots.fsw,
  ftw: slots.ftw,
  fop: slots.fop,
  fip: slots.fip,
  fdp: slots.fdp,
  fcs: slots.fcs,
  fds: slots.fds,
  mxcsr: slots.mxcsr,
};

function segment(
  { processor: { state } }: DebuggedMachine,
  name: SegmentName,
): { readonly selector: Register; readonly base: Register } {
  return {
    selector: {
      read: () => BigInt(state.segment(name).selector),
      write: (value) =>
        state.setSegment(name, { ...state.segment(name), selector: Number(value & 0xffffn) }),
    },
    base: {
      read: () => state.segment(name).base,
      write: (value) =>
        state.setSegment(name, { ...state.segment(name), base: BigInt.asUintN(64, value) }),
    },
  };
}

/** ST(index): its place depends on TOP. Intel SDM Vol. 1 §8.1.2, "x87 FPU Data Registers". */
function stackRegister({ processor: { state } }: DebuggedMachine, index: number): Register {
  const bytes = (): Uint8Array => {
    const top = (state.getNumber(slots.fsw) >> topShift) & 7;
    const at = state.base + slots.x87.offset + ((top + index) % 8) * slots.x87.bytes;
    return new Uint8Array(state.buffer, at, x87Bytes);
  };
  return {
    read: () => fromBytes(bytes()),
    write: (value) => bytes().set(toBytes(value, x87Bytes)),
  };
}

function fromBytes(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function toBytes(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn));
}
