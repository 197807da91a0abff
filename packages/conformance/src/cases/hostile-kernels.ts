/** Kernels that attack whoever runs them. They may harm themselves only. */
import { assemble } from "@ringside/isa";
import type { KernelGuest } from "@ringside/strategy";
import type { ConformanceCase, Subject } from "../conformance-case.ts";
import { execute, outcome } from "../execution.ts";
import { expectEqual, expectTrue } from "../expect.ts";

const memoryBytes = 8 * 1024 * 1024;
const limitUnits = 3_000_000;
const randomKernels = 24;

/** A flat kernel at 1 MiB whose every exception leads to `handler`, with the error code, if any, taken off. */
function kernel(source: string): KernelGuest {
  const stubs = Array.from({ length: 32 }, (_, vector) => {
    const hasCode = vector === 8 || (vector >= 10 && vector <= 14) || vector === 17;
    return `${hasCode ? "add rsp, 8" : "nop"}\njmp handler\nalign 16\n`;
  }).join("");
  const { bytes } = assemble(
    `
      mov rsp, 0x200000
      lea rax, [rel stubs]
      mov rdi, 0x300000
      mov ecx, 32
    gate:
      mov [rdi], ax
      mov word [rdi + 2], 0x08
      mov word [rdi + 4], 0x8e00
      mov rdx, rax
      shr rdx, 16
      mov [rdi + 6], dx
      shr rdx, 16
      mov [rdi + 8], edx
      mov dword [rdi + 12], 0
      add rdi, 16
      add rax, 16
      loop gate
      mov rsi, 0x301000
      mov word [rsi], 0x1ff
      mov qword [rsi + 2], 0x300000
      lidt [rsi]
      ${source}
      mov eax, 0
      out 0xf4, eax
      hlt
      align 16
    stubs:
      ${stubs}
    `,
    { address: 0x10_0000n },
  );
  return { kind: "kernel", format: "flat", image: bytes, commandLine: "", memoryBytes };
}

/** Whatever the first kernel did, another one on the same host runs as if nothing had been. */
function survives(subject: Subject, attack: KernelGuest, ends: readonly string[]): void {
  const attacked = execute(subject, attack, { limitUnits });
  expectTrue(ends.includes(attacked.exit.reason), `${ends.join(" or ")}: ${outcome(attacked)}`);
  const after = execute(subject, kernel("jmp past\nhandler: iretq\npast:"), { limitUnits });
  expectEqual(after.exit, { reason: "halted", value: 0 }, "a kernel on the same host afterwards");
  expectEqual(subject.host.freeBytes, subject.host.memoryBytes, "free memory afterwards");
}

/** Skips what faulted: the handler goes on at the next label, whose address is in RBX. */
const skip = "handler: mov [rsp], rbx\niretq";

/** The next of 64-bit numbers, in R8 (George Marsaglia, "Xorshift RNGs", 2003); changes R9. */
const nextRandom = `
      mov r9, r8
      shl r9, 13
      xor r8, r9
      mov r9, r8
      shr r9, 7
      xor r8, r9
      mov r9, r8
      shl r9, 17
      xor r8, r9`;

/** Instructions of VT-x as bytes, since only a processor with that extension knows them by name. */
const vmx: Readonly<Record<string, string>> = {
  vmcall: "0x0f, 0x01, 0xc1",
  vmlaunch: "0x0f, 0x01, 0xc2",
  vmresume: "0x0f, 0x01, 0xc3",
  vmxoff: "0x0f, 0x01, 0xc4",
  vmfunc: "0x0f, 0x01, 0xd4",
  vmread: "0x0f, 0x78, 0xc8",
  vmwrite: "0x0f, 0x79, 0xc1",
  vmxon: "0xf3, 0x0f, 0xc7, 0x37",
  vmclear: "0x66, 0x0f, 0xc7, 0x37",
  vmptrld: "0x0f, 0xc7, 0x37",
  vmptrst: "0x0f, 0xc7, 0x3f",
  invept: "0x66, 0x0f, 0x38, 0x80, 0x07",
  invvpid: "0x66, 0x0f, 0x38, 0x81, 0x07",
};

const attacks: readonly (readonly [what: string, source: string, ends: readonly string[]])[] = [
  [
    "executes the instructions of VT-x",
    // Each of them faults, or it waits for good.
    `jmp past\nhandler: inc r15d\nmov [rsp], rbx\niretq\npast:\nmov rdi, 0x310000\nxor r15d, r15d\n${Object.entries(
      vmx,
    )
      .map(([name, bytes]) => `lea rbx, [rel after_${name}]\ndb ${bytes}\nafter_${name}:`)
      .join("\n")}\ncmp r15d, ${Object.keys(vmx).length}\nwrong: jne wrong`,
    ["halted"],
  ],
  [
    "writes to every page from its own end up to 4 GiB",
    `jmp past\n${skip}\npast:
      mov rdi, ${memoryBytes}
      mov rsi, 0x100000000
    again:
      lea rbx, [rel after]
      mov qword [rdi], rdi
    after:
      add rdi, 0x1fd000
      cmp rdi, rsi
      jb again`,
    ["halted", "limit", "crashed"],
  ],
  [
    "maps itself what it was not given, and writes there",
    `jmp past\n${skip}\npast:
      mov rdi, 0x400000
      mov rax, 0x87
      mov ecx, 512
    fill:
      mov [rdi], rax
      add rax, 0x40000000
      add rdi, 8
      loop fill
      mov rdx, cr3
      mov qword [rdx + 8], 0x400007
      mov cr3, rdx
      mov rdi, 0x8000000000
      mov ecx, 5000
    again:
      lea rbx, [rel after]
      mov qword [rdi], rdi
    after:
      add rdi, 0x3fff3000
      loop again`,
    ["halted", "limit", "crashed"],
  ],
  [
    "writes random values to random ports",
    `jmp past\n${skip}\npast:
      mov ecx, 20000
      mov r8, 88172645463325252
    again:
      ${nextRandom}
      mov edx, r8d
      and edx, 0x7ff
      cmp edx, 0xf0
      jb usual
      cmp edx, 0xf8
      jb next
    usual:
      mov rax, r8
      shr rax, 20
      lea rbx, [rel next]
      out dx, eax
      in eax, dx
    next:
      cli
      loop again`,
    ["halted", "limit", "crashed"],
  ],
  [
    "writes random values to random model-specific registers",
    `jmp past\n${skip}\npast:
      mov r10d, 20000
      mov r8, 88172645463325252
    again:
      ${nextRandom}
      mov ecx, r8d
      and ecx, 0xc0000fff
      cmp ecx, 0xc0000080
      je next
      mov rax, r8
      mov rdx, r8
      shr rdx, 32
      lea rbx, [rel next]
      wrmsr
      rdmsr
    next:
      dec r10d
      jnz again`,
    ["halted", "limit", "crashed"],
  ],
  [
    "loads tables and roots from nowhere",
    `jmp past\n${skip}\npast:
      mov rsi, 0x310000
      mov word [rsi], 0xffff
      mov rax, 0xfffffffffffff000
      mov [rsi + 2], rax
      lgdt [rsi]
      mov rax, 0x7ffffffff000
      mov cr3, rax
      ud2`,
    ["halted", "limit", "crashed"],
  ],
  [
    "writes all over the end of the address space, and runs there",
    `jmp past\n${skip}\npast:
      mov rdi, 0xffffffffffffff00
      mov ecx, 60000
    again:
      lea rbx, [rel after]
      mov qword [rdi], rdi
    after:
      sub rdi, 0x11000
      loop again
      lea rbx, [rel done]
      mov rax, 0xffffffffffe00000
      jmp rax
    done:`,
    ["halted", "limit", "crashed"],
  ],
  [
    "keeps its tables for events where no RAM is",
    `jmp past\n${skip}\npast:
      mov rsi, 0x310000
      mov word [rsi], 0xfff
      mov rdi, 0x80000000
      mov [rsi + 2], rdi
      lidt [rsi]
      ud2`,
    ["crashed"],
  ],
  [
    "keeps its page tables where no RAM is",
    `jmp past\n${skip}\npast:\nmov rax, 0x80000000\nmov cr3, rax\nnop\nnop`,
    ["crashed"],
  ],
  [
    "has its stack in device memory when an exception comes",
    `jmp past\n${skip}\npast:\nmov rsp, 0xfee00800\nlea rbx, [rel after]\nud2\nafter:`,
    ["halted", "limit", "crashed"],
  ],
  [
    "runs code in device memory",
    `jmp past\n${skip}\npast:\nlea rbx, [rel after]\nmov rax, 0xfee00000\njmp rax\nafter:`,
    ["halted", "limit", "crashed"],
  ],
  [
    "turns paging off in 64-bit code",
    `jmp past\n${skip}\npast:\nlea rbx, [rel after]\nmov rax, cr0\nand eax, 0x7fffffff\nmov cr0, rax\nafter:`,
    ["halted"],
  ],
  [
    "copies strings out of device memory and back",
    // The version of the local APIC is what it reads, or it waits for good.
    `jmp past\n${skip}\npast:
      mov rsi, 0xfee00030
      mov rdi, 0x310000
      mov ecx, 4
      cld
      rep movsb
      mov rsi, 0x310000
      mov rdi, 0x90000000
      mov ecx, 16
      rep movsb
      cmp byte [0x310000], 0x14
    wrong: jne wrong`,
    ["halted"],
  ],
];

/** Numerical Recipes' generator: the same kernels on every host. */
function randomBytes(seed: number, length: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

function survivesRandomBytes(subject: Subject): void {
  for (let seed = 1; seed <= randomKernels; seed += 1) {
    const attack: KernelGuest = { ...kernel("handler:"), image: randomBytes(seed, 4096) };
    const attacked = execute(subject, attack, { limitUnits: 100_000 });
    const { reason } = attacked.exit;
    expectTrue(
      ["halted", "crashed", "limit", "waiting"].includes(reason),
      `an end of its own or the limit (seed ${seed}): ${outcome(attacked)}`,
    );
  }
}

export const hostileKernelCases: readonly ConformanceCase[] = [
  ...attacks.map(([what, source, ends]): ConformanceCase => ({
    name: `survives a kernel that ${what}`,
    requires: "kernels",
    run: (subject) => survives(subject, kernel(source), ends),
  })),
  {
    name: "survives kernels of random bytes",
    requires: "kernels",
    run: survivesRandomBytes,
  },
];
