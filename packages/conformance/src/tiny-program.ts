/**
 * Static Linux programs of a few instructions, assembled here: the suite's own, so that a case shows on one
 * screen what its program does.
 */
import { assemble } from "@ringside/isa";
import type { GuestFile, ProgramGuest } from "@ringside/strategy";

const loadAddress = 0x40_0000;
/** ELF header and one program header. */
const headerBytes = 64 + 56;

/** An ELF64 executable with one segment, readable, writable and executable, entered at its first instruction. */
export function tinyProgram(source: string): Uint8Array {
  const code = assemble(source, { address: BigInt(loadAddress + headerBytes) }).bytes;
  const file = new Uint8Array(headerBytes + code.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(loadAddress + headerBytes), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // PT_LOAD
  view.setUint32(68, 7, true); // PF_R, PF_W, PF_X
  view.setBigUint64(80, BigInt(loadAddress), true);
  view.setBigUint64(88, BigInt(loadAddress), true);
  view.setBigUint64(96, BigInt(file.length), true);
  view.setBigUint64(104, BigInt(file.length + 0x10000), true); // 64 KiB of zeros behind
  view.setBigUint64(112, 0x1000n, true);
  file.set(code, headerBytes);
  return file;
}

/** Memory that every strategy runs small programs in. */
const programMemoryBytes = 64 * 1024 * 1024;

export interface GuestOptions {
  /** After the program's own name. */
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly files?: ReadonlyMap<string, GuestFile>;
  readonly memoryBytes?: number;
}

/** A guest that runs this executable as `/bin/program`. */
export function programGuest(executable: Uint8Array, options: GuestOptions = {}): ProgramGuest {
  const path = "/bin/program";
  return {
    kind: "program",
    argv: [path, ...(options.args ?? [])],
    env: options.env ?? [],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    files: new Map([...(options.files ?? []), [path, { bytes: executable, mode: 0o755 }]]),
    memoryBytes: options.memoryBytes ?? programMemoryBytes,
  };
}

/** exit(`code`). */
export function exits(code: number): Uint8Array {
  return tinyProgram(`
    mov eax, 60
    mov edi, ${code}
    syscall
  `);
}

/** Loops without a system call. */
export const spins: () => Uint8Array = () =>
  tinyProgram(`
    again:
      inc rax
      jmp again
  `);

/** Copies input to output until its end, 4096 bytes at a time, then exit(0). */
export const copies: () => Uint8Array = () =>
  tinyProgram(`
    again:
      xor eax, eax
      xor edi, edi
      lea rsi, [rel buffer]
      mov edx, 4096
      syscall
      test rax, rax
      jle done
      mov rbx, rax
      lea rbp, [rel buffer]
    write:
      mov eax, 1
      mov edi, 1
      mov rsi, rbp
      mov rdx, rbx
      syscall
      add rbp, rax
      sub rbx, rax
      jnz write
      jmp again
    done:
      mov eax, 60
      xor edi, edi
      syscall
    buffer:
  `);
