/**
 * Paravirtual kernels of a few instructions for tests, so that a test shows on one screen what its guest does.
 */
import { assemble } from "@ringside/isa";
import { Host } from "@ringside/strategy";
import type { FrameOrder } from "../memory/machine-memory.ts";
import { hostBytesFor, ParavirtMachine } from "../paravirt-machine.ts";

/** Where the domain's frame 0 is, and the code. */
export const virtBase = 0xffff_ffff_8000_0000n;
const loadOffset = 0x10_0000;
export const entry: bigint = virtBase + BigInt(loadOffset);
const headerBytes = 64 + 2 * 56;
const megabyte = 0x10_0000;

export interface NoteInput {
  readonly type: number;
  readonly value: bigint;
}

export interface KernelOptions {
  /** Beside ENTRY and VIRT_BASE. */
  readonly notes?: readonly NoteInput[];
}

/** An ELF64 with one segment at frame 0x100 of the domain, and Xen's notes. */
export function tinyKernel(source: string, options: KernelOptions = {}): Uint8Array {
  const notes = [{ type: 1, value: entry }, { type: 3, value: virtBase }, ...(options.notes ?? [])];
  const noteBytes = Uint8Array.from(notes.flatMap(({ type, value }) => [...note(type, value)]));
  const code = assemble(prelude + source, { address: entry }).bytes;
  const file = new Uint8Array(headerBytes + noteBytes.length + code.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  view.setBigUint64(24, entry, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  const codeAt = headerBytes + noteBytes.length;
  programHeader(view, 64, 4, headerBytes, noteBytes.length, 0); // PT_NOTE
  programHeader(view, 120, 1, codeAt, code.length, loadOffset); // PT_LOAD
  // Zeros behind the code, for tables and stacks of the guest.
  view.setBigUint64(120 + 40, BigInt(megabyte), true);
  file.set(noteBytes, headerBytes);
  file.set(code, codeAt);
  return file;
}

function programHeader(
  view: DataView,
  at: number,
  type: number,
  offset: number,
  length: number,
  physical: number,
): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 4, 7, true);
  view.setBigUint64(at + 8, BigInt(offset), true);
  view.setBigUint64(at + 16, virtBase + BigInt(physical), true);
  view.setBigUint64(at + 24, BigInt(physical), true);
  view.setBigUint64(at + 32, BigInt(length), true);
  view.setBigUint64(at + 40, BigInt(length), true);
  view.setBigUint64(at + 48, 0x1000n, true);
}

function note(type: number, value: bigint): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, 8, true);
  view.setUint32(8, type, true);
  bytes.set([0x58, 0x65, 0x6e, 0], 12);
  view.setBigUint64(16, value, true);
  return bytes;
}

/** Numbers of hypercalls. */
const prelude = `
  set_trap_table equ 0
  mmu_update equ 1
  set_gdt equ 2
  stack_switch equ 3
  fpu_taskswitch equ 5
  update_descriptor equ 10
  memory_op equ 12
  multicall equ 13
  update_va_mapping equ 14
  xen_version equ 17
  console_io equ 18
  vm_assist equ 21
  iret_call equ 23
  vcpu_op equ 24
  set_segment_base equ 25
  mmuext_op equ 26
  sched_op equ 29
  callback_op equ 30
  event_channel_op equ 32
  DOMID_SELF equ 0x7ff0
`;

/** Ends the machine with the low byte of EBX. */
export const shutDown = `
    mov [rel shutdown_code], ebx
    mov eax, sched_op
    mov edi, 5
    lea rsi, [rel shutdown_code]
    syscall
    mov dword [rel shutdown_code], 0
    mov eax, sched_op
    mov edi, 2
    lea rsi, [rel shutdown_code]
    syscall
  shutdown_code: dd 0
`;

export interface TestMachine {
  readonly machine: ParavirtMachine;
  /** What the guest wrote to its console ring, and to Xen's console. */
  readonly output: () => string;
  readonly log: () => string;
}

export interface MachineInput {
  readonly image: Uint8Array;
  readonly frames?: FrameOrder;
  readonly commandLine?: string;
  readonly initrd?: Uint8Array;
  readonly memoryBytes?: number;
  /** Of the host beyond what the machine needs. */
  readonly spareBytes?: number;
}

/** A machine that has not run yet. */
export function testMachine(input: MachineInput): TestMachine {
  const { memoryBytes = 16 * megabyte, spareBytes = 0 } = input;
  const host = Host.create({ memoryBytes: hostBytesFor(memoryBytes) + spareBytes });
  const [output, log]: [number[], number[]] = [[], []];
  const machine = new ParavirtMachine({
    claim: host.claimAll("paravirt"),
    memoryBytes,
    frames: input.frames ?? "scrambled",
    kernel: {
      image: input.image,
      commandLine: input.commandLine ?? "",
      ...(input.initrd === undefined ? {} : { initrd: input.initrd }),
    },
    epochSeconds: 1_136_073_600,
    onSerial: (bytes) => output.push(...bytes),
    onDebug: (bytes) => log.push(...bytes),
  });
  const text = (bytes: readonly number[]): string =>
    new TextDecoder().decode(Uint8Array.from(bytes));
  return { machine, output: () => text(output), log: () => text(log) };
}
