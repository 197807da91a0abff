/** Kernels of a few instructions, where translation must not show. */
import { flatKernel, handlers, powerOff } from "@ringside/hypervisor/testing";
import type { KernelImage } from "@ringside/machine";
import { countAt, Host, type Counts, type KernelMachineExit } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { binaryTranslationMachine, hostBytesFor } from "./binary-translation-machine.ts";

const memoryBytes = 4 << 20;

interface Outcome {
  readonly exit: KernelMachineExit;
  readonly counts: Counts;
}

function run(kernel: KernelImage, cacheBytes?: number): Outcome {
  const host = Host.create({ memoryBytes: hostBytesFor(memoryBytes) });
  using claim = host.claimAll("test");
  const machine = binaryTranslationMachine({
    claim,
    memoryBytes,
    kernel,
    epochSeconds: 0,
    onSerial: () => {},
    onDebug: () => {},
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
  });
  machine.endInput();
  const exit = machine.run(20_000_000);
  return { exit, counts: machine.counts() };
}

/** A flat kernel at 1 MiB that leaves its result in EAX. */
function result(source: string, cacheBytes?: number): Outcome {
  return run(flatKernel(`${source}\n${powerOff}`, memoryBytes), cacheBytes);
}

/** Maps the page at 4 GiB to the frame in RDI, with tables at 0x302000 to 0x303fff. */
const mapPage = `
    jmp behind_map
  map_page:
    mov rax, cr3
    mov rax, [rax]
    and rax, 0xfffffffffffff000
    mov qword [rax + 32], 0x302003
    mov qword [0x302000], 0x303003
    or rdi, 3
    mov [0x303000], rdi
    ret
  behind_map:
`;

const powered = (value: number): KernelMachineExit => ({ reason: "powered-off", value });

describe("faults in translated code", () => {
  test("show the guest's own RIP, registers and flags", () => {
    // A call through memory that is not mapped: RCX is in a slot by then.
    const { exit } = result(`
        ${handlers({ 14: "handler" })}
        mov rbx, 0x100000000
        mov rcx, 0x1234
        mov rdx, rsp
        stc
      faulting:
        call [rbx]
      handler:
        cmp rcx, 0x1234
        jne wrong
        lea rax, [rel faulting]
        cmp [rsp + 8], rax
        jne wrong
        cmp [rsp + 32], rdx
        jne wrong
        test dword [rsp + 24], 1
        jz wrong
        mov eax, 1
        jmp done
      wrong:
        mov eax, 2
      done:
    `);
    expect(exit).toEqual(powered(1));
  });

  test("of a return show its stack pointer before it", () => {
    const { exit } = result(`
        ${handlers({ 13: "handler" })}
        mov rax, 0x800000000000
        push rax
        mov rdx, rsp
      faulting:
        ret 16
      handler:
        sub rdx, [rsp + 32]
        lea rax, [rel faulting]
        sub rax, [rsp + 8]
        or rax, rdx
    `);
    expect(exit).toEqual(powered(0));
  });
});

describe("flags", () => {
  test("survive lookups, in all combinations of the six", () => {
    const { exit } = result(`
        xor ebp, ebp
        xor ebx, ebx
      next:
        ; bits of EBX become CF, PF, AF, ZF, SF and OF
        mov eax, ebx
        and eax, 1
        mov edx, ebx
        and edx, 2
        lea eax, [rax + rdx*2]
        mov edx, ebx
        and edx, 4
        lea eax, [rax + rdx*4]
        mov edx, ebx
        and edx, 0x18
        lea eax, [rax + rdx*8]
        mov edx, ebx
        and edx, 0x20
        shl edx, 6
        or eax, edx
        push rax
        popfq
        call nothing
        pushfq
        pop rdx
        and edx, 0x8d5
        cmp edx, eax
        je right
        inc ebp
      right:
        inc ebx
        cmp ebx, 64
        jb next
        mov eax, ebp
        jmp done
      nothing:
        ret
      done:
    `);
    expect(exit).toEqual(powered(0));
  });

  test("show the guest its own interrupt flag, not the processor's", () => {
    const { exit } = result(`
        cli
        pushfq
        pop rax
        shr eax, 9
        and eax, 1
        mov ebx, eax
        sti
        nop
        pushfq
        cli
        popfq
        pushfq
        pop rax
        cli
        shr eax, 8
        and eax, 2
        or eax, ebx
    `);
    expect(exit).toEqual(powered(2));
  });
});

describe("code that changes", () => {
  test("is translated anew when it is overwritten", () => {
    const { exit, counts } = result(`
        xor ebp, ebp
        mov ecx, 100
      again:
        call number
        add ebp, eax
        mov [rel number + 1], ecx
        dec ecx
        jnz again
        mov eax, ebp
        jmp done
      number:
        mov eax, 1000
        ret
      done:
    `);
    // 1000, then 100 down to 2.
    expect(exit).toEqual(powered(1000 + (100 * 101) / 2 - 1));
    expect(countAt(counts, "translation.dropped")).toBeGreaterThanOrEqual(99);
  });

  test("is seen by the next instruction of the same unit", () => {
    const { exit } = result(`
        mov byte [rel patched + 1], 7
      patched:
        mov eax, 1
    `);
    expect(exit).toEqual(powered(7));
  });

  test("is not dropped when data beside it changes", () => {
    const { exit, counts } = result(`
        mov ecx, 50
      again:
        inc dword [rel beside]
        dec ecx
        jnz again
        mov eax, [rel beside]
        jmp done
      beside:
        dd 0
      done:
    `);
    expect(exit).toEqual(powered(50));
    // Only to make the write call out, which traps each time.
    expect(countAt(counts, "translation.dropped")).toBe(
      countAt(counts, "translation.retranslations"),
    );
    expect(countAt(counts, "faults.traced")).toBeLessThan(10);
  });

  test("is looked up again when its page is another", () => {
    const { exit } = result(`
        ${mapPage}
        mov rax, 0xc300000001b8
        mov [0x310000], rax
        mov rax, 0xc300000020b8
        mov [0x311000], rax
        mov rbx, 0x100000000
        mov rdi, 0x310000
        call map_page
        call rbx
        mov ebp, eax
        mov rdi, 0x311000
        call map_page
        invlpg [rbx]
        call rbx
        add ebp, eax
        mov rdi, 0x310000
        call map_page
        mov rax, cr3
        mov cr3, rax
        call rbx
        add eax, ebp
    `);
    expect(exit).toEqual(powered(0x22));
  });
});

describe("the region", () => {
  /** Maps the last 2 MiB, and what is 4 MiB below the end, each to the frame in RDI, with tables at 0x302000 to 0x305fff. */
  const mapTop = `
    mov rax, cr3
    mov qword [rax + 0xff8], 0x302003
    mov qword [0x302ff8], 0x303003
    mov qword [0x303ff8], 0x304003
    mov qword [0x303fe8], 0x305003
    mov rdi, 0x310003
    mov [0x304008], rdi
    mov [0x305000], rdi
  `;

  test("moves when the guest maps memory there, and the guest finds its own", () => {
    const { exit, counts } = result(`
        mov dword [0x310018], 0x1234
        ${mapTop}
        ; where the slots and the lookup table were
        mov ebx, [0xffffffffffe01018]
        mov dword [0xffffffffffe01018], 0x5678
        call nothing
        mov eax, [0x310018]
        shl eax, 16
        or eax, ebx
        jmp done
      nothing:
        ret
      done:
    `);
    expect(exit).toEqual(powered(0x5678_1234));
    expect(countAt(counts, "translation.relocations")).toBe(1);
  });

  test("notices a mapping in tables that were there before", () => {
    const { exit, counts } = result(`
        mov rax, cr3
        mov qword [rax + 0xff8], 0x302003
        mov qword [0x302ff8], 0x303003
        mov qword [0x303ff8], 0x304003
        mov rax, cr3
        mov cr3, rax
        mov dword [0x310000], 0x77
        mov qword [0x304000], 0x310003
        mov eax, [0xffffffffffe00000]
    `);
    expect(exit).toEqual(powered(0x77));
    expect(countAt(counts, "translation.relocations")).toBe(1);
  });

  test("has no place in an address space that is mapped to its end", () => {
    const { exit } = result(`
        mov rax, cr3
        mov qword [rax + 0xff8], 0x302003
        mov rcx, 512
        mov rdi, 0x303000
        mov rax, 0x83
        rep stosq
        mov qword [0x302ff0], 0x303003
        mov qword [0x302ff8], 0x303003
        mov rax, cr3
        mov cr3, rax
    `);
    expect(exit).toMatchObject({
      reason: "crashed",
      why: expect.stringMatching(/maps memory everywhere/u),
    });
  });
});

describe("the cache", () => {
  test("is emptied when it is full, which a small one is early, and nothing else changes", () => {
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    const source = `
        xor eax, eax
        mov r15d, 3
      again:
        ${numbers.map((index) => `call function_${index}`).join("\n")}
        dec r15d
        jnz again
        jmp done
        ${numbers.map((index) => `function_${index}:\nadd eax, ${index}\nret`).join("\n")}
      done:
    `;
    const [large, small] = [result(source), result(source, 8192)];
    expect(large.exit).toEqual(powered(3 * 4950));
    expect(small.exit).toEqual(large.exit);
    expect(countAt(large.counts, "translation.evictions")).toBe(0);
    expect(countAt(small.counts, "translation.evictions")).toBeGreaterThan(0);
  });

  test("is emptied when it has code of too many pages, though all are one frame", () => {
    // A RET in each page from 8 GiB up: one level-1 table of one frame, under eight entries.
    const { exit, counts } = result(`
        mov byte [0x300000], 0xc3
        mov rdi, 0x301000
        mov ecx, 512
        mov rax, 0x300003
        rep stosq
        mov rdi, 0x302000
        mov ecx, 8
        mov rax, 0x301003
        rep stosq
        mov rbx, cr3
        mov rbx, [rbx]
        and rbx, -4096
        mov qword [rbx + 64], 0x302003
        mov rax, 0x200000000
        xor ebp, ebp
      again:
        call rax
        inc ebp
        add rax, 0x1000
        cmp ebp, 2500
        jb again
        mov rax, cr3
        mov cr3, rax
        mov eax, ebp
    `);
    expect(exit).toEqual(powered(2500));
    expect(countAt(counts, "translation.evictions")).toBe(1);
  });
});

describe("interrupts", () => {
  test.each([501, 997, 1303])("arrive between two instructions (every %i units)", (period) => {
    // The local APIC's timer, while sequences of the translator and the guest's own flags are in use.
    const { exit, counts } = result(`
        ${handlers({ 0x40: "handler" })}
        mov ebx, 0xfee00000
        mov dword [rbx + 0xf0], 0x1ff
        mov dword [rbx + 0x3e0], 0xb
        mov dword [rbx + 0x320], 0x20040
        mov dword [rbx + 0x380], ${period}
        xor ebp, ebp
        xor r14d, r14d
        mov r15d, 3000
        sti
      again:
        mov rcx, 0x1111
        mov rax, 0x2222
        mov rsi, 0x3333
        stc
        call nothing
        jnc wrong
        pushfq
        cli
        popfq
        jnc wrong
        mov rdx, cr8
        mov cr8, rdx
        jnc wrong
        lea rdi, [rel nothing]
        call rdi
        swapgs
        swapgs
        jnc wrong
        cmp rcx, 0x1111
        jne wrong
        cmp rax, 0x2222
        jne wrong
        cmp rsi, 0x3333
        jne wrong
        dec r15d
        jnz again
        cli
        mov eax, ebp
        cmp r14d, 20
        ja done
      wrong:
        mov eax, 0xbad
        jmp done
      nothing:
        ret
      handler:
        inc r14d
        push rax
        mov eax, 0xfee000b0
        mov dword [rax], 0
        pop rax
        iretq
      done:
    `);
    expect(exit).toEqual(powered(0));
    expect(countAt(counts, "deliveries")).toBeGreaterThan(20);
  });
});
