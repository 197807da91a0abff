/**
 * Kernels of a few instructions, for tests of hypervisors: 64-bit code at 1 MiB whose memory is mapped one to one.
 *
 * @packageDocumentation
 */
import { assemble } from "@ringside/isa";
import type { KernelGuest } from "@ringside/strategy";

/** Where {@link handlers} puts the IDT; its descriptor is behind it, in a page of its own. */
const idt = 0x30_0000;
const idtDescriptor = 0x30_1000;

/** @param source Begins with RSP at 2 MiB, whose memory and that up to 3 MiB is its own. */
export function flatKernel(source: string, memoryBytes: number): KernelGuest {
  const { bytes: image } = assemble(`mov rsp, 0x200000\n${source}`, { address: 0x10_0000n });
  return { kind: "kernel", format: "flat", image, commandLine: "", memoryBytes };
}

/** Ends with the value in EAX. */
export const powerOff: string = `
    out 0xf4, eax
    hlt
`;

/** Makes `labels` the handlers of their vectors, and those alone. Changes RAX and RSI. */
export function handlers(labels: Readonly<Record<number, string>>): string {
  const gates = Object.entries(labels).map(
    ([vector, label]) => `
    mov rsi, ${idt + 16 * Number(vector)}
    lea rax, [rel ${label}]
    call write_gate`,
  );
  return `${gates.join("")}
    mov rsi, ${idtDescriptor}
    mov word [rsi], 0xfff
    mov qword [rsi + 2], ${idt}
    lidt [rsi]
    jmp behind_gates
  write_gate:
    mov [rsi], ax
    mov word [rsi + 2], 0x08
    mov word [rsi + 4], 0x8e00
    shr rax, 16
    mov [rsi + 6], ax
    shr rax, 16
    mov [rsi + 8], eax
    ret
  behind_gates:
`;
}

/** Vectors 6, 13 and 14 then count in EBP and go on behind an instruction of RBX bytes. */
export const countFaults: string = `
    ${handlers({ 6: "plain", 13: "with_code", 14: "with_code" })}
    xor ebp, ebp
    jmp start
  with_code:
    add rsp, 8
  plain:
    inc ebp
    add [rsp], rbx
    iretq
  start:
`;
