import { describe, expect, test } from "vitest";
import { brokenInvariants } from "../testing/invariants.ts";
import { shutDown, testMachine, tinyKernel, type TestMachine } from "../testing/tiny-kernel.ts";

/** A kernel with a handler for one vector, which finds the frame at RSP. */
function kernel(vector: number, code: string, handler: string, flags = 0): TestMachine {
  return testMachine({
    image: tinyKernel(`
        mov eax, set_trap_table
        lea rdi, [rel traps]
        syscall
        ${code}
        mov ebx, 250
        jmp over
      handler:
        ${handler}
      over:
        lea rsp, [rel stack]
        ${shutDown}
      traps:
        db ${vector}, ${flags}
        dw 0xe033
        dd 0
        dq handler
        dq 0, 0
        resb 512
      stack:
    `),
  });
}

function valueOf({ machine }: TestMachine): number {
  const exit = machine.run(10_000);
  if (exit.reason !== "powered-off" || exit.value === undefined)
    throw new Error(`It ended otherwise: ${exit.reason}`);
  expect(brokenInvariants(machine.domain)).toEqual([]);
  return exit.value;
}

// Xen, xen/arch/x86/x86_64/entry.S, create_bounce_frame.
describe("a bounce frame", () => {
  test("has RCX and R11 first, then what IRET pops", () => {
    const made = kernel(
      6,
      "mov rcx, 0x11\n mov r11, 0x22\n at: ud2",
      `pop rcx
       pop r11
       lea rbx, [rcx + r11]
       lea rax, [rel at]
       sub rax, [rsp]
       add rbx, rax`,
    );
    expect(valueOf(made)).toBe(0x33);
  });

  test("says ring 0 for the guest's kernel, and the mask of events beside it", () => {
    // CS with its RPL cleared, and the byte above: events are masked at the start.
    expect(valueOf(kernel(6, "ud2", "mov ebx, [rsp + 24]\n and ebx, 0xff"))).toBe(0x30);
    expect(valueOf(kernel(6, "ud2", "mov ebx, [rsp + 28]"))).toBe(1);
  });

  test("shows the mask of events as the interrupt flag", () => {
    const flag = "mov ebx, [rsp + 32]\n shr ebx, 9\n and ebx, 1";
    expect(valueOf(kernel(6, "ud2", flag))).toBe(0);
    const open = kernel(6, "ud2", flag);
    open.machine.domain.vcpu.setEventsMasked(false);
    expect(valueOf(open)).toBe(1);
  });

  test("is aligned to 16 bytes, with the error code where there is one", () => {
    expect(valueOf(kernel(6, "sub rsp, 8\n ud2", "mov rbx, rsp\n and ebx, 15"))).toBe(8);
    expect(valueOf(kernel(13, "hlt", "mov ebx, [rsp + 16]\n add ebx, 7"))).toBe(7);
  });

  test("masks events where the trap table says so", () => {
    // Bit 2 of the flags.
    const made = kernel(6, "ud2", "mov ebx, 1", 4);
    made.machine.domain.vcpu.setEventsMasked(false);
    expect(valueOf(made)).toBe(1);
    expect(made.machine.domain.vcpu.eventsMasked).toBe(true);
  });
});

describe("a page fault", () => {
  test("tells CR2 in vcpu_info, and that the kernel did it", () => {
    const made = kernel(14, "mov rax, 0x123000\n mov [rax], rax", "mov ebx, [rsp + 16]");
    // A write to a page that is not there, not by a program.
    expect(valueOf(made)).toBe(2);
    const { domain } = made.machine;
    expect(domain.physical.readU64(domain.vcpu.info + 16)).toBe(0x12_3000n);
  });

  test("can be read from CR2 by the guest's kernel", () => {
    const made = kernel(14, "mov rax, 0x47000000\n mov al, [rax]", "mov rbx, cr2\n shr rbx, 24");
    expect(valueOf(made)).toBe(0x47);
    expect(made.machine.counts()["monitor"]).toMatchObject({ emulated: { mov: 1 } });
  });
});

// Xen, xen/arch/x86/pv/emul-priv-op.c.
describe("a privileged instruction", () => {
  test.each([
    [
      "RDMSR of GS's base",
      "mov rax, 5\n xor edx, edx\n mov ecx, 0xc0000101\n wrmsr\n xor eax, eax\n rdmsr\n mov ebx, eax",
      5,
    ],
    ["MOV from CR0", "mov rbx, cr0\n and ebx, 0xff", 0x33],
    ["CLTS", "mov rax, cr0\n or eax, 8\n mov cr0, rax\n clts\n mov rbx, cr0\n and ebx, 8", 0],
    [
      "MOV to CR0, TS only",
      "mov rax, cr0\n or eax, 8\n mov cr0, rax\n mov rbx, cr0\n and ebx, 8",
      8,
    ],
    ["MOV to and from a debug register", "mov eax, 0x44\n mov dr0, rax\n mov rbx, dr0", 0x44],
    ["WBINVD", "wbinvd\n mov ebx, 1", 1],
    ["an unknown register", "mov ecx, 0x12345\n mov eax, 7\n rdmsr\n mov ebx, eax", 0],
    [
      "CPUID with Xen's prefix",
      "mov eax, 0x40000000\n db 0x0f, 0x0b, 0x78, 0x65, 0x6e\n cpuid\n shr ebx, 24",
      0x56,
    ],
  ])("is emulated: %s", (_name, code, value) => {
    const made = testMachine({ image: tinyKernel(`${code}\n ${shutDown}`) });
    expect(valueOf(made)).toBe(value);
  });

  test("reads all ones from a port, once the guest may use ports", () => {
    const code = `
      mov eax, 33
      mov edi, 6
      lea rsi, [rel level]
      syscall
      in al, 0x80
      movzx ebx, al
      cli
      sti
      ${shutDown}
      level: dd 1
    `;
    expect(valueOf(testMachine({ image: tinyKernel(code) }))).toBe(255);
  });

  test("is a fault where the guest may not use ports", () => {
    expect(valueOf(kernel(13, "in al, 0x80", "mov ebx, 9"))).toBe(9);
    expect(valueOf(kernel(13, "cli", "mov ebx, 9"))).toBe(9);
  });
});

describe("INT n", () => {
  test("goes to the guest's handler when the table lets its level", () => {
    expect(valueOf(kernel(0x40, "int 0x40", "mov ebx, 3", 1))).toBe(3);
  });

  test("is #GP with the vector when it does not", () => {
    expect(valueOf(kernel(13, "int 0x41", "mov ebx, [rsp + 16]\n shr ebx, 3"))).toBe(0x41);
  });
});

describe("#NM", () => {
  test("finds TS clear", () => {
    const made = kernel(
      7,
      "mov eax, fpu_taskswitch\n mov edi, 1\n syscall\n movaps xmm0, xmm1",
      "mov rbx, cr0\n and ebx, 8\n add ebx, 1",
    );
    expect(valueOf(made)).toBe(1);
  });
});

// Xen, xen/arch/x86/pv/ro-page-fault.c.
describe("writable page tables", () => {
  /** Stores an entry into a table that it has pinned, through its read-only mapping. */
  const store = (assist: boolean, instruction: string): string => `
    ${assist ? "mov eax, vm_assist\n xor edi, edi\n mov esi, 2\n syscall" : ""}
    mov rax, [rel entry]
    ${instruction}
    mov rbx, [rel table + 8]
    and ebx, 0xff
    jmp over
    align 4096
    table: resb 4096
    entry: dq 0
  `;

  function run(assist: boolean, instruction = "mov [rel table + 8], rax"): number {
    const made = kernel(14, store(assist, instruction), "mov ebx, 99");
    const { domain } = made.machine;
    // The table is the page at 2 * 4096 of the kernel; it becomes one, and the entry names a frame of the domain.
    const page = domain.memory.frames[0x101] ?? 0;
    const at = domain.access.leafEntry(0x8010_1000, 0xffff_ffff);
    expect(domain.paging.updateLeaf(at, page * 4096 + 1, 0)).toBe(0);
    expect(domain.paging.pin(page, 1)).toBe(0);
    const target = domain.memory.frames.at(-1) ?? 0;
    domain.physical.writeU64((domain.memory.frames[0x102] ?? 0) * 4096, BigInt(target * 4096 + 3));
    return valueOf(made);
  }

  test("are stored to for the guest's kernel", () => {
    // Present, writable, and the user's to the hardware.
    expect(run(true)).toBe(0x07);
  });

  test("are changed in place for the guest's kernel", () => {
    for (const change of ["xchg [rel table + 8], rax", "or [rel table + 8], rax"])
      expect(run(true, change)).toBe(0x07);
    const exchange = "mov rbx, rax\n xor eax, eax\n lock cmpxchg [rel table + 8], rbx";
    expect(run(true, exchange)).toBe(0x07);
  });

  test("fault for a store with another operand in memory, which ring 0 would read for the guest", () => {
    const move = "lea rsi, [rel entry]\n lea rdi, [rel table + 8]\n movsq";
    expect(run(true, move)).toBe(99);
    expect(run(true, "push rax\n pop qword [rel table + 8]")).toBe(99);
  });

  test("fault for a store to two entries at once", () => {
    expect(run(true, "movups [rel table + 8], xmm0")).toBe(99);
  });

  test("fault without the assistance", () => {
    expect(run(false)).toBe(99);
  });
});
