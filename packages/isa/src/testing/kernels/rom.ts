/**
 * Small kernels that check themselves: 64 KiB of ROM that a processor enters from RESET.
 *
 * A kernel is a list of cases. Each prints one line to port E9H: what a piece of code computed, or which exception it
 * met. The same bytes run here and, as a BIOS image, in QEMU and Bochs, and every case cites the rule that it checks.
 */
import { assemble } from "../../assembler/assemble.ts";
import { HostMemory } from "../../memory/host-memory.ts";
import { Processor } from "../../processor.ts";
import type { ProcessorProfile } from "../../profile/profile.ts";
import { SHUTDOWN, type Difference } from "./emulators.ts";

/** One line of a kernel's output. */
export interface KernelCase {
  readonly name: string;
  /** The rule: volume, section and title. */
  readonly reference: string;
  /** Assembly text. */
  readonly text: string;
  readonly expected: string;
  readonly qemu?: Difference;
  readonly bochs?: Difference;
}

/** Cases that share tables and a beginning. */
export interface Kernel {
  readonly topic: string;
  readonly cases: readonly KernelCase[];
  /** The whole ROM's text from the entry on, cases included. */
  readonly text: string;
  /** Of the processor here; the default profile without it. */
  readonly profile?: ProcessorProfile;
  /** Names of processors of the emulators, where their usual ones do not do. */
  readonly processors?: { readonly qemu?: string; readonly bochs?: string };
  /** Why an emulator cannot run it at all. */
  readonly lacking?: { readonly qemu?: string; readonly bochs?: string };
}

export const ROM_BYTES = 0x1_0000;
/** Where a machine has the ROM below 1 MiB. */
export const ROM_PHYSICAL = 0xf_0000;
const RESET_VECTOR = 0xfff0;
const DEBUG_PORT = 0xe9;
const EXIT_PORT = 0xf4;
const BOCHS_SHUTDOWN_PORT = 0x8900;

/** Of the local APIC kernels use one thing: an NMI that the processor sends itself. */
export const LOCAL_APIC = 0xfee0_0000;
export const INTERRUPT_COMMAND = 0x300;
export const NMI = 0x400;
const DELIVERY_MODE = 0x700;

/** Ends a kernel: QEMU's exit device, Bochs's port that wants a word, and HLT for a processor that has neither. */
export const FINISH: string = `
  mov al, 0
  out ${EXIT_PORT}, al
  mov dx, ${BOCHS_SHUTDOWN_PORT}
  ${Array.from("Shutdown", (letter) => `mov al, ${letter.codePointAt(0)}\nout dx, al`).join("\n")}
  hlt
`;

/** The ROM's bytes: code from 0, and the jump that RESET finds. */
export function romImage(kernel: Kernel): Uint8Array {
  const { bytes, symbols } = assemble(kernel.text, { mode: 16 });
  if (bytes.length > RESET_VECTOR)
    throw new RangeError(
      `The kernel "${kernel.topic}" has ${bytes.length} bytes. Leave ${ROM_BYTES - RESET_VECTOR} of ${ROM_BYTES}.`,
    );
  const entry = symbols.get("start");
  if (entry === undefined) throw new RangeError(`The kernel "${kernel.topic}" has no label start.`);
  const rom = new Uint8Array(ROM_BYTES).fill(0xf4);
  rom.set(bytes);
  rom.set(assemble(`jmp 0xf000:${entry}`, { mode: 16 }).bytes, RESET_VECTOR);
  return rom;
}

/** Runs a kernel; gives its lines, with the end last where it was another than HLT. */
export function runKernel(kernel: Kernel): readonly string[] {
  const memory = HostMemory.create({ physicalBytes: 0x40_0000, codeCacheBytes: 0x10_0000 });
  const output: number[] = [];
  let finished = false;
  const processor: Processor = new Processor({
    memory,
    ports: {
      read: () => 0xff,
      write(port, _sizeBytes, value) {
        if (port === DEBUG_PORT) output.push(value & 0xff);
        if (port === EXIT_PORT) finished = true;
      },
    },
    mmio: [
      {
        base: LOCAL_APIC,
        sizeBytes: 0x1000,
        read: () => 0,
        write(offset, _sizeBytes, value) {
          if (offset === INTERRUPT_COMMAND && (value & DELIVERY_MODE) === NMI)
            processor.requestNmi();
        },
      },
    ],
    interrupts: {
      acknowledge: () => 0,
      readTaskPriority: () => 0,
      writeTaskPriority: () => undefined,
    },
    ...(kernel.profile === undefined ? {} : { profile: kernel.profile }),
  });
  memory.physical.write(ROM_PHYSICAL, romImage(kernel));
  // The copy of the ROM below 4 GiB, where RESET begins, is not in this memory; the one below 1 MiB is.
  const cs = processor.state.segment("cs");
  processor.state.setSegment("cs", { ...cs, base: BigInt(ROM_PHYSICAL) });
  const exit = processor.run(5_000_000);
  const lines = String.fromCharCode(...output)
    .trimEnd()
    .split("\n");
  if (finished && exit.reason === "halted") return lines;
  return [...lines, exit.reason === "shutdown" ? SHUTDOWN : JSON.stringify(exit)];
}

/** Prints a character, and EAX in hexadecimal with 2, 4 or 8 digits. Code of the current size. */
export const PRINTING: string = `
putc:
  out ${DEBUG_PORT}, al
  ret
newline:
  mov al, 10
  out ${DEBUG_PORT}, al
  ret
hex2:
  mov ecx, 2
  rol eax, 24
  jmp hexdigits
hex4:
  mov ecx, 4
  rol eax, 16
  jmp hexdigits
hex8:
  mov ecx, 8
hexdigits:
  rol eax, 4
  mov edx, eax
  and al, 15
  cmp al, 10
  jb .decimal
  add al, 39
.decimal:
  add al, 48
  out ${DEBUG_PORT}, al
  mov eax, edx
  dec ecx
  jnz hexdigits
  ret
`;
