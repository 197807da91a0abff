/** What asking for many things at a time is worth: a fork of a process with four megabytes, with and without. */
import { kernelXenImage, marks, markBase, programInitrd } from "@ringside/guest";
import { assemble } from "@ringside/isa";
import { countAt, countsBetween, Host, type Counts } from "@ringside/strategy";
import { expect, test } from "vitest";
import { paravirt } from "./index.ts";

const loadAddress = 0x40_0000;
const headerBytes = 64 + 56;
const megabytes = 4;

/** A static Linux program with one segment. */
function program(source: string): Uint8Array {
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
  view.setUint32(68, 7, true);
  view.setBigUint64(80, BigInt(loadAddress), true);
  view.setBigUint64(96, BigInt(file.length), true);
  view.setBigUint64(104, BigInt(file.length), true);
  view.setBigUint64(112, 0x1000n, true);
  file.set(code, headerBytes);
  return file;
}

const mark = (id: number): string => `db 0x0f, 0x1f, 0x84, 0x00\n dd ${markBase + id}`;

/** Touches each page, then forks a child that ends at once, and waits for it. */
const forks = program(`
    mov eax, 9
    xor edi, edi
    mov esi, ${megabytes << 20}
    mov edx, 3
    mov r10d, 0x22
    mov r8, -1
    xor r9d, r9d
    syscall
    mov rbx, rax
    mov ecx, ${megabytes << 8}
  touch:
    mov [rbx], rbx
    add rbx, 4096
    dec ecx
    jnz touch
    ${mark(marks.benchmarkStart)}
    mov eax, 57
    syscall
    test eax, eax
    jz child
    mov edi, eax
    xor esi, esi
    xor edx, edx
    xor r10d, r10d
    mov eax, 61
    syscall
    ${mark(marks.benchmarkEnd)}
  child:
    mov eax, 60
    xor edi, edi
    syscall
`);

/** Hypercalls of one fork with its end, but for the returns to programs. */
function hypercallsOfFork(commandLine: string): number {
  const seen = new Map<number, Counts>();
  using machine = paravirt.create(
    Host.create({ memoryBytes: 72 << 20 }),
    {
      kind: "kernel",
      format: "xen-pv",
      image: kernelXenImage(),
      commandLine,
      memoryBytes: 64 << 20,
      initrd: programInitrd({
        argv: ["/bin/forks"],
        env: [],
        files: [{ path: "/bin/forks", mode: 0o755, data: forks }],
      }),
    },
    { trace: { mark: ({ id }) => void seen.set(id, machine.counts()) } },
  );
  expect(machine.run(1_000_000_000)).toEqual({ reason: "halted", value: 0 });
  const [begin, end] = [seen.get(marks.benchmarkStart), seen.get(marks.benchmarkEnd)];
  if (begin === undefined || end === undefined) throw new Error("The program set no marks.");
  const counts = countsBetween(begin, end);
  return countAt(counts, "hypercalls") - countAt(counts, "hypercalls.iret");
}

test("batching cuts the hypercalls of a fork at least 50-fold", () => {
  const [batched, single] = [hypercallsOfFork(""), hypercallsOfFork("nobatch")];
  expect(single / batched).toBeGreaterThan(50);
});
