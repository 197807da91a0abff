/** A domain whose kernel does one hypercall at a time, for a test: numbers and arguments in, the result out. */
import type { Domain } from "../domain.ts";
import type { ParavirtMachine } from "../paravirt-machine.ts";
import { entry, testMachine, tinyKernel, virtBase, type MachineInput } from "./tiny-kernel.ts";

const registersOfArguments = [7, 6, 2, 10, 8, 9];

/** Numbers of hypercalls by name. */
export const CALL = {
  SET_TRAP_TABLE: 0,
  MMU_UPDATE: 1,
  SET_GDT: 2,
  STACK_SWITCH: 3,
  FPU_TASKSWITCH: 5,
  SET_DEBUGREG: 8,
  GET_DEBUGREG: 9,
  UPDATE_DESCRIPTOR: 10,
  MEMORY_OP: 12,
  MULTICALL: 13,
  UPDATE_VA_MAPPING: 14,
  XEN_VERSION: 17,
  CONSOLE_IO: 18,
  VM_ASSIST: 21,
  IRET: 23,
  VCPU_OP: 24,
  SET_SEGMENT_BASE: 25,
  MMUEXT_OP: 26,
  SCHED_OP: 29,
  CALLBACK_OP: 30,
  EVENT_CHANNEL_OP: 32,
} as const;

export const DOMID_SELF = 0x7ff0n;

/** A page of the kernel's memory for the test's structures. */
export const scratch: bigint = entry + 0x1_0000n;

export class HypercallBench {
  readonly machine: ParavirtMachine;
  readonly domain: Domain;
  readonly output: () => string;
  readonly log: () => string;

  constructor(input: Partial<MachineInput> = {}) {
    const made = testMachine({ image: tinyKernel("again: syscall\n jmp again"), ...input });
    this.machine = made.machine;
    this.domain = made.machine.domain;
    this.output = made.output;
    this.log = made.log;
  }

  /** The result of a hypercall, signed. */
  call(number: number, ...args: readonly (number | bigint)[]): number {
    const { state } = this.machine.processor;
    state.rip = entry;
    state.rax = BigInt(number);
    for (const [index, register] of registersOfArguments.entries()) {
      state.setRegister(register, BigInt.asUintN(64, BigInt(args[index] ?? 0)));
    }
    do this.machine.run(2);
    while (state.rip === entry && this.domain.vcpu.crashed === undefined);
    return Number(BigInt.asIntN(64, state.rax));
  }

  /** Writes words of 64 bits into the guest's memory. */
  poke(linear: bigint, ...words: readonly (number | bigint)[]): void {
    const bytes = new Uint8Array(words.length * 8);
    const view = new DataView(bytes.buffer);
    for (const [index, word] of words.entries()) {
      view.setBigUint64(index * 8, BigInt.asUintN(64, BigInt(word)), true);
    }
    if (!this.domain.access.write(halves(linear), bytes)) throw new Error("not mapped");
  }

  peek(linear: bigint): bigint {
    const bytes = this.machine.inspect.readMemory(linear, 8);
    if (bytes === undefined) throw new Error("not mapped");
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  /** One mmuext_op: command, first and second argument. */
  mmuext(command: number, first: number | bigint = 0, second: number | bigint = 0): number {
    this.poke(scratch, command, first, second);
    return this.call(CALL.MMUEXT_OP, scratch, 1, 0, DOMID_SELF);
  }

  /** One mmu_update. */
  update(pointer: number | bigint, value: number | bigint): number {
    this.poke(scratch, pointer, value);
    return this.call(CALL.MMU_UPDATE, scratch, 1, 0, DOMID_SELF);
  }

  /** Machine frame behind a page of the kernel's memory. */
  frameAt(linear: bigint): number {
    return this.domain.memory.frames[Number((linear - virtBase) >> 12n)] ?? 0;
  }

  /** A frame of the domain's that nothing maps, counted from the last. */
  spare(index: number): number {
    const { frames } = this.domain.memory;
    return frames[frames.length - 1 - index] ?? 0;
  }
}

export function halves(linear: bigint): { readonly low: number; readonly high: number } {
  return { low: Number(linear & 0xffff_ffffn), high: Number(linear >> 32n) };
}
