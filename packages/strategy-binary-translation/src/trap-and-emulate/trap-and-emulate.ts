/**
 * Trap-and-emulate, the technique that x86 defeats: the guest's kernel runs as it stands, in ring 1, and the hypervisor
 * executes what traps. Everything is as under translation but the translation.
 *
 * Popek and Goldberg's condition is that each sensitive instruction traps. The report lists those that did not, what they did,
 * and what they do in ring 0.
 */
import { assemble } from "@ringside/isa";
import {
  defaultEpochSeconds,
  type Host,
  type KernelGuest,
  type KernelMachineExit,
  type Registers,
} from "@ringside/strategy";
import { binaryTranslationMachine } from "../binary-translation-machine.ts";
import type { SilentInstruction } from "./sensitive-watch.ts";

export interface TrapAndEmulateReport {
  /** How the guest ended. */
  readonly exit: KernelMachineExit;
  readonly units: number;
  readonly registers: Registers;
  readonly silent: readonly SilentInstruction[];
  /** What the guest wrote to its consoles. */
  readonly log: string;
}

/**
 * Runs a kernel by trap-and-emulate until it ends or the limit is spent.
 *
 * @param host Big enough for the guest and `hostBytesFor` of it; all of it is taken until the end.
 * @throws {StrategyError} `host-busy` when anything is claimed.
 * @throws {ImageError} when the kernel is malformed or does not fit.
 */
export function runTrapAndEmulate(
  host: Host,
  guest: KernelGuest,
  limitUnits: number,
): TrapAndEmulateReport {
  using claim = host.claimAll("trap-and-emulate");
  let log = "";
  const decoder = new TextDecoder();
  const onText = (bytes: Uint8Array): void => {
    log += decoder.decode(bytes, { stream: true });
  };
  const machine = binaryTranslationMachine({
    claim,
    memoryBytes: guest.memoryBytes,
    kernel: guest,
    epochSeconds: defaultEpochSeconds,
    onSerial: onText,
    onDebug: onText,
    kernelCode: "direct",
  });
  machine.endInput();
  const exit = machine.run(limitUnits);
  const { units, core } = machine;
  return { exit, units, registers: machine.inspect.registers(), silent: core.silent, log };
}

const demonstrationBytes = 4 << 20;

/**
 * The classic failure as a kernel of a few instructions: it waits for ten ticks of its timer, and in between has a critical
 * section that saves the flags, closes interrupts and restores the flags. In ring 0 it powers off with 0. Deprivileged, POPFQ
 * drops the interrupt flag without a trap, and the next HLT sleeps for good.
 */
export function demonstrationKernel(): KernelGuest {
  const { bytes } = assemble(
    `
      mov rsp, 0x200000
      ; the gate of vector 0x40, in a table at 0x300000
      lea rax, [rel tick]
      mov rsi, 0x300400
      mov [rsi], ax
      mov word [rsi + 2], 0x08
      mov word [rsi + 4], 0x8e00
      shr rax, 16
      mov [rsi + 6], ax
      shr rax, 16
      mov [rsi + 8], eax
      mov rsi, 0x301000
      mov word [rsi], 0xfff
      mov qword [rsi + 2], 0x300000
      lidt [rsi]
      ; the local APIC's timer: vector 0x40, periodic
      mov ebx, 0xfee00000
      mov dword [rbx + 0xf0], 0x1ff
      mov dword [rbx + 0x3e0], 0xb
      mov dword [rbx + 0x320], 0x20040
      mov dword [rbx + 0x380], 10000
      xor ecx, ecx
      sti
    wait:
      pushfq
      cli
      mov edx, ecx
      popfq
      hlt
      cmp ecx, 10
      jb wait
      xor eax, eax
      out 0xf4, eax
    tick:
      inc ecx
      mov dword [rbx + 0xb0], 0
      iretq
    `,
    { address: 0x10_0000n },
  );
  return {
    kind: "kernel",
    format: "flat",
    image: bytes,
    commandLine: "",
    memoryBytes: demonstrationBytes,
  };
}
