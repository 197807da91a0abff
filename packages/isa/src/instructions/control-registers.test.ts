import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, halted, KernelBench } from "../testing/kernel-bench.ts";
import { slots } from "../state/layout.ts";

const isGp0 = { vector: 13, frame: { errorCode: 0 } };

// Intel SDM Vol. 2B, "MOV—Move to/from Control Registers".
describe("MOV to and from control registers", () => {
  coversEncodings("mov | 0F 20 /r", "mov | 0F 22 /r");

  test("moves 64 bits in 64-bit code", () => {
    const bench = new KernelBench();
    halted(bench.run("mov rax, 0x123456789abcdef0\nmov cr2, rax\nmov rbx, cr2\nmov rcx, cr3\nhlt"));
    expect(bench.state.rbx).toBe(0x1234_5678_9abc_def0n);
    expect(bench.state.rcx).toBe(BigInt(ADDRESS.pml4));
  });

  test("moves 32 bits in 32-bit code", () => {
    const bench = new KernelBench();
    halted(
      bench.run("mov eax, 0x89abcdef\nmov cr2, eax\nmov ebx, cr2\nmov ecx, cr0\nhlt", { mode: 32 }),
    );
    expect(bench.state.rbx).toBe(0x89ab_cdefn);
    expect(bench.state.rcx).toBe(bench.state.cr0);
  });

  test.each([
    "mov rax, cr0",
    "mov rax, cr3",
    "mov cr3, rax",
    "mov rax, cr8",
    "mov cr8, rax",
    "mov cr4, rax",
  ])("%s raises #GP(0) outside CPL 0", (text) => {
    const bench = new KernelBench();
    expect(arrived(bench.run(text, { cpl: 3 }))).toMatchObject(isGp0);
    expect(arrived(bench.run(text, { cpl: 1 }))).toMatchObject(isGp0);
  });

  test.each([
    ["CR0 with a high bit", "mov rax, cr0\nbts rax, 32\nmov cr0, rax"],
    ["CR0 with PG and without PE", "mov rax, cr0\nbtr rax, 0\nmov cr0, rax"],
    ["CR0 with NW and without CD", "mov rax, cr0\nbts rax, 29\nmov cr0, rax"],
    ["CR0 without PG in 64-bit code", "mov rax, cr0\nbtr rax, 31\nmov cr0, rax"],
    ["CR3 above MAXPHYADDR", "mov rax, cr3\nbts rax, 40\nmov cr3, rax"],
    ["CR4 with a reserved bit", "mov rax, cr4\nbts rax, 15\nmov cr4, rax"],
    ["CR4 with a flag that CPUID does not have", "mov rax, cr4\nbts rax, 21\nmov cr4, rax"],
    ["CR4 without PAE in IA-32e mode", "mov rax, cr4\nbtr rax, 5\nmov cr4, rax"],
    ["CR8 above 15", "mov eax, 16\nmov cr8, rax"],
  ])("refuses %s", (_, text) => {
    const bench = new KernelBench();
    expect(arrived(bench.run(text))).toMatchObject(isGp0);
  });

  test("keeps ET set, and the undefined low bits of CR0 clear", () => {
    const bench = new KernelBench();
    halted(bench.run("mov rax, 0x80050f33\nmov cr0, rax\nmov rbx, cr0\nhlt"));
    expect(bench.state.rbx).toBe(0x8005_0033n);
  });

  // Intel SDM Vol. 3A §11.8.6.1, "Interaction of Task Priorities between CR8 and APIC".
  test("reads and writes the task priority through CR8", () => {
    let priority = 3;
    const bench = new KernelBench({
      interrupts: {
        readTaskPriority: () => priority,
        writeTaskPriority: (value) => void (priority = value),
      },
    });
    halted(bench.run("mov rax, cr8\nmov ecx, 9\nmov cr8, rcx\nmov rbx, cr8\nhlt"));
    expect([bench.state.rax, bench.state.rbx]).toEqual([3n, 9n]);
  });

  test("takes an interrupt right after lowering CR8 lets it through", () => {
    const bench = new KernelBench({
      interrupts: { writeTaskPriority: () => bench.processor.setInterruptRequest(true) },
    });
    const { vector, frame } = arrived(
      bench.run("xor eax, eax\nmov cr8, rax\nnop\nhlt", { rflags: 0x202n }),
    );
    expect([vector, frame.rip]).toEqual([0x40, BigInt(ADDRESS.code + 6)]);
  });

  test("makes a write to a read-only page fault as soon as CR0.WP is set", () => {
    const bench = new KernelBench();
    const page = ADDRESS.pages;
    bench.load(
      ADDRESS.code,
      `mov rax, cr0\nbtr rax, 16\nmov cr0, rax\nmov [${page}], eax\nbts rax, 16\nmov cr0, rax\nmov [${page}], eax\nhlt`,
    );
    bench.enter();
    bench.setPage(page, 1n);
    expect(arrived(bench.go())).toMatchObject({ vector: 14, frame: { errorCode: 3 } });
    expect(bench.memory.physical.readU32(page)).not.toBe(0);
  });
});

// Intel SDM Vol. 3A §10.8.5, "Initializing IA-32e Mode"; §10.8.5.4, "Switching Out of IA-32e Mode Operation".
describe("Entering and leaving IA-32e mode", () => {
  const enter = `
    mov eax, 0x20
    mov cr4, eax
    mov eax, ${ADDRESS.pml4}
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp 0x08:long
    bits 64
    long: mov rbx, 0x123456789abcdef0
  `;

  const start = (text: string): KernelBench => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, text, 32);
    bench.state.enterProtectedMode32({ rip: ADDRESS.code });
    bench.state.set(slots.gdtrBase, BigInt(ADDRESS.gdt));
    bench.state.set(slots.gdtrLimit, 0xffn);
    return bench;
  };

  test("32-bit code sets PAE, CR3, LME and PG and jumps to 64-bit code", () => {
    const bench = start(`${enter}\nhlt`);
    halted(bench.go());
    expect(bench.state.rbx).toBe(0x1234_5678_9abc_def0n);
    expect(bench.state.mode).toBe(64);
    expect(bench.state.efer).toBe(0x500n);
  });

  test("paging without PAE under LME raises #GP", () => {
    const bench = start(
      "mov ecx, 0xc0000080\nmov eax, 0x100\nxor edx, edx\nwrmsr\nmov eax, cr0\nbts eax, 31\nmov cr0, eax",
    );
    // There is no IDT, so the fault becomes a triple fault.
    bench.state.set(slots.idtrLimit, 0n);
    expect(bench.go()).toMatchObject({ kind: "exit", exit: { reason: "shutdown" } });
    expect(bench.state.cr0 & 0x8000_0000n).toBe(0n);
  });

  test("clearing PG in compatibility mode clears LMA", () => {
    const bench = start(`
      ${enter}
      push 0x18
      push back
      db 0x48
      retf
      bits 32
      back: mov eax, cr0
      and eax, 0x7fffffff
      mov cr0, eax
      hlt
    `);
    bench.state.rsp = BigInt(ADDRESS.kernelStack);
    halted(bench.go());
    expect(bench.state.efer).toBe(0x100n);
    expect(bench.state.mode).toBe(32);
  });

  test("EFER.LME cannot change while paging is on", () => {
    const bench = new KernelBench();
    const outcome = bench.run("mov ecx, 0xc0000080\nrdmsr\nbtr eax, 8\nwrmsr");
    expect(arrived(outcome)).toMatchObject(isGp0);
  });
});

// Intel SDM Vol. 2B, "MOV—Move to/from Debug Registers"; Vol. 3B §18.2, "Debug Registers".
describe("MOV to and from debug registers", () => {
  coversEncodings("mov | 0F 21 /r", "mov | 0F 23 /r");

  test("moves 64 bits, keeps the fixed bits of DR6 and DR7, and has DR4 and DR5 as other names of them", () => {
    const bench = new KernelBench();
    const text = `
      mov rax, 0x123456789abcdef0
      mov dr0, rax
      mov dr3, rax
      xor eax, eax
      mov dr6, rax
      mov dr7, rax
      mov r8, dr0
      mov r9, dr3
      mov r10, dr4
      mov r11, dr5
      hlt
    `;
    halted(bench.run(text));
    expect([8, 9, 10, 11].map((number) => bench.state.register(number))).toEqual([
      0x1234_5678_9abc_def0n,
      0x1234_5678_9abc_def0n,
      0xffff_0ff0n,
      0x400n,
    ]);
  });

  test("moves 32 bits in 32-bit code", () => {
    const bench = new KernelBench();
    halted(bench.run("mov eax, 0x89abcdef\nmov dr1, eax\nmov ebx, dr1\nhlt", { mode: 32 }));
    expect(bench.state.rbx).toBe(0x89ab_cdefn);
  });

  test("raises #GP(0) outside CPL 0 and for a high bit of DR7, and #UD for DR4 under CR4.DE", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run("mov rax, dr0", { cpl: 3 }))).toMatchObject(isGp0);
    expect(arrived(bench.run("mov dr0, rax", { cpl: 3 }))).toMatchObject(isGp0);
    expect(arrived(bench.run("mov rax, 0x100000400\nmov dr7, rax"))).toMatchObject(isGp0);
    expect(arrived(bench.run("mov rax, cr4\nbts rax, 3\nmov cr4, rax\nmov rax, dr4")).vector).toBe(
      6,
    );
  });

  // Intel SDM Vol. 3B §18.3.1.3, "General-Detect Exception Condition".
  test("raises #DB with DR6.BD under DR7.GD, which is then clear", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run("mov eax, 0x2400\nmov dr7, rax\nmov rbx, dr0")).vector).toBe(1);
    expect(bench.state.get(slots.dr6) & 0x2000n).toBe(0x2000n);
    expect(bench.state.get(slots.dr7)).toBe(0x400n);
  });
});

// Intel SDM Vol. 2A, "LMSW—Load Machine Status Word"; Vol. 2B, "SMSW—Store Machine Status Word".
describe("LMSW, SMSW and CLTS", () => {
  coversEncodings("lmsw", "smsw", "clts");

  test("LMSW sets MP, EM and TS, and cannot clear PE", () => {
    const bench = new KernelBench();
    const before = 0x8001_0033n;
    halted(bench.run("mov eax, 0xfff8\nlmsw ax\nhlt"));
    expect(bench.state.cr0).toBe((before & ~0xen) | 8n);
  });

  test("SMSW stores 16 bits to memory and all of CR0 to a register, at CPL 3 as well", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(ADDRESS.data, 0n);
    arrived(
      bench.run(
        `smsw rax\nsmsw ebx\nmov ecx, 0x11110000\nsmsw cx\nsmsw word ptr [${ADDRESS.data}]\nint 0x80`,
        { cpl: 3 },
      ),
    );
    expect([bench.state.rax, bench.state.rbx, bench.state.rcx]).toEqual([
      0x8001_0033n,
      0x8001_0033n,
      0x1111_0033n,
    ]);
    expect(bench.memory.physical.readU64(ADDRESS.data)).toBe(0x33n);
  });

  test("CLTS clears TS", () => {
    const bench = new KernelBench();
    halted(bench.run("mov rax, cr0\nor eax, 8\nmov cr0, rax\nclts\nhlt"));
    expect(bench.state.cr0 & 8n).toBe(0n);
  });

  test.each(["lmsw ax", "clts"])("%s raises #GP(0) outside CPL 0", (text) => {
    const bench = new KernelBench();
    expect(arrived(bench.run(text, { cpl: 3 }))).toMatchObject(isGp0);
  });
});
