import { describe, expect, test } from "vitest";
import { ADDRESS, arrived, halted, KernelBench, SELECTOR } from "../testing/kernel-bench.ts";

const IF = 0x200n;
const TF = 0x100n;
const RF = 0x1_0000n;

// Intel SDM Vol. 3A §6.14.2, "64-Bit Mode Stack Frame".
describe("The stack frame of an exception", () => {
  test("holds SS, RSP, RFLAGS, CS and RIP, and no error code for #UD", () => {
    const bench = new KernelBench();
    const { vector, frame } = arrived(bench.run("mov eax, 1\nud2"));
    expect(vector).toBe(6);
    expect(frame).toMatchObject({
      rip: BigInt(ADDRESS.code + 5),
      cs: SELECTOR.code,
      ss: SELECTOR.data,
      rsp: BigInt(ADDRESS.kernelStack - 0x1000),
    });
    expect(frame.at).toBe(BigInt(ADDRESS.kernelStack - 0x1000 - 40));
  });

  test("holds an error code below RIP for #GP", () => {
    const bench = new KernelBench();
    const { vector, frame } = arrived(bench.run("mov ax, 0x1238\nmov ds, ax"));
    expect(vector).toBe(13);
    expect(frame).toMatchObject({ errorCode: 0x1238, rip: BigInt(ADDRESS.code + 4) });
    expect(frame.at).toBe(BigInt(ADDRESS.kernelStack - 0x1000 - 48));
  });

  test("begins at an address that is a multiple of 16, whatever RSP was", () => {
    const bench = new KernelBench();
    const { frame } = arrived(bench.run("sub rsp, 3\nud2"));
    expect(frame.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1003));
    expect(frame.at).toBe(BigInt(ADDRESS.kernelStack - 0x1010 - 40));
  });

  // Intel SDM Vol. 3B §18.3.1.1, "Instruction-Breakpoint Exception Condition".
  test("has RF set for a fault and clear for a software interrupt", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run("ud2")).frame.rflags & RF).toBe(RF);
    expect(arrived(bench.run("int3")).frame.rflags & RF).toBe(0n);
  });

  test("saves RIP after INT n and at a faulting instruction", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run("int 0x80")).frame.rip).toBe(BigInt(ADDRESS.code + 2));
    expect(arrived(bench.run("xor ecx, ecx\ndiv ecx"))).toMatchObject({
      vector: 0,
      frame: { rip: BigInt(ADDRESS.code + 2) },
    });
  });
});

// Intel SDM Vol. 3A §6.12.1.3, "Flag Usage By Exception- or Interrupt-Handler Procedure".
describe("Flags in a handler", () => {
  test("an interrupt gate clears IF, a trap gate leaves it", () => {
    const bench = new KernelBench();
    arrived(bench.run("int 0x80", { rflags: IF | 2n }));
    expect(bench.state.rflags & IF).toBe(0n);
    bench.changeGate(0x80, { type: 0x8f });
    const { frame } = arrived(bench.run("int 0x80", { rflags: IF | 2n }));
    expect(bench.state.rflags & IF).toBe(IF);
    expect(frame.rflags & IF).toBe(IF);
  });

  test("TF and NT are cleared, and saved as they were", () => {
    const bench = new KernelBench();
    const { frame } = arrived(bench.run("int 0x80", { rflags: 0x4002n }));
    expect(frame.rflags).toBe(0x4002n);
    expect(bench.state.rflags).toBe(2n);
  });
});

// Intel SDM Vol. 3A §6.14.4, "Stack Switching in IA-32e Mode".
describe("The stack of a handler", () => {
  test("comes from RSP0 of the TSS when CPL changes, with a null SS", () => {
    const bench = new KernelBench();
    const { vector, frame } = arrived(bench.run("int 0x80", { cpl: 3 }));
    expect(vector).toBe(0x80);
    expect(frame).toMatchObject({
      at: BigInt(ADDRESS.kernelStack - 40),
      cs: SELECTOR.userCode | 3,
      ss: SELECTOR.userData | 3,
      rsp: BigInt(ADDRESS.userStack),
    });
    expect(bench.state.cpl).toBe(0);
    expect(bench.state.segment("ss").selector).toBe(0);
    expect(bench.state.segment("cs").selector).toBe(SELECTOR.code);
  });

  // Intel SDM Vol. 3A §6.14.5, "Interrupt Stack Table".
  test("comes from the IST when the gate names one, also without a change of CPL", () => {
    const bench = new KernelBench();
    bench.changeGate(6, { ist: 1 });
    const { frame } = arrived(bench.run("ud2"));
    expect(frame.at).toBe(BigInt(ADDRESS.ist1 - 40));
    expect(frame.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
  });

  test("stays the same without a change of CPL and without IST", () => {
    const bench = new KernelBench();
    const { frame } = arrived(bench.run("ud2", { cpl: 0 }));
    expect(frame.at).toBe(BigInt(ADDRESS.kernelStack - 0x1000 - 40));
  });

  test("raises #SS when the IST entry is not canonical", () => {
    const bench = new KernelBench();
    bench.changeGate(6, { ist: 1 });
    bench.memory.physical.writeU64(ADDRESS.tss + 36, 0x8000_0000_0000n);
    expect(arrived(bench.run("ud2"))).toMatchObject({ vector: 12, frame: { errorCode: 1 } });
  });

  test("raises #TS when the TSS is too short for it", () => {
    const bench = new KernelBench();
    bench.changeGate(6, { ist: 7 });
    bench.load(ADDRESS.code, "ud2");
    bench.enter();
    bench.state.setSegment("tr", { ...bench.state.segment("tr"), limit: 0x5a });
    expect(arrived(bench.go())).toMatchObject({
      vector: 10,
      frame: { errorCode: SELECTOR.tss | 1 },
    });
  });

  test("a conforming handler runs at the CPL of the program", () => {
    const bench = new KernelBench();
    bench.changeGate(0x80, { dpl: 3, selector: SELECTOR.conforming });
    // HLT of the handler is privileged, so #GP tells where it was.
    const { vector, frame } = arrived(bench.run("int 0x80", { cpl: 3 }));
    expect(vector).toBe(13);
    expect(frame).toMatchObject({
      cs: SELECTOR.conforming | 3,
      rip: BigInt(ADDRESS.handlers + 0x80 * 16),
      rsp: BigInt(ADDRESS.userStack - 40),
    });
  });
});

// Intel SDM Vol. 3A §6.13, "Error Code"; Vol. 2A, "INT n/INTO/INT3/INT1—Call to Interrupt Procedure" (operation).
describe("A gate that cannot be used", () => {
  test("raises #GP with the vector when software may not use it", () => {
    const bench = new KernelBench();
    bench.changeGate(0x81, { dpl: 0 });
    const { vector, frame } = arrived(bench.run("int 0x81", { cpl: 3 }));
    expect([vector, frame.errorCode]).toEqual([13, 0x81 * 8 + 2]);
    expect(frame.rip).toBe(BigInt(ADDRESS.code));
  });

  test("lets hardware exceptions through whatever its DPL is", () => {
    const bench = new KernelBench();
    bench.changeGate(6, { dpl: 0 });
    expect(arrived(bench.run("ud2", { cpl: 3 })).vector).toBe(6);
  });

  test("raises #NP when it is not present, with EXT for an exception", () => {
    const bench = new KernelBench();
    bench.changeGate(0x81, { type: 0x0e, dpl: 3 });
    expect(arrived(bench.run("int 0x81"))).toMatchObject({
      vector: 11,
      frame: { errorCode: 0x81 * 8 + 2 },
    });
    bench.changeGate(6, { type: 0x0e });
    expect(arrived(bench.run("ud2"))).toMatchObject({
      vector: 11,
      frame: { errorCode: 6 * 8 + 3 },
    });
  });

  test("raises #GP when it is not a 64-bit interrupt or trap gate", () => {
    const bench = new KernelBench();
    bench.changeGate(0x81, { type: 0x8c, dpl: 3 });
    expect(arrived(bench.run("int 0x81"))).toMatchObject({
      vector: 13,
      frame: { errorCode: 0x81 * 8 + 2 },
    });
  });

  test("raises #GP when it lies beyond the limit of the IDT", () => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, "lidt [table]\nint 0x81\ntable: dw 0x20f\ndq 0x9000");
    bench.enter();
    expect(arrived(bench.go())).toMatchObject({ vector: 13, frame: { errorCode: 0x81 * 8 + 2 } });
  });

  test.each([
    ["a null code segment", 0, 1],
    ["a data segment", SELECTOR.data, SELECTOR.data | 1],
    ["32-bit code", SELECTOR.code32, SELECTOR.code32 | 1],
    ["a selector beyond the GDT", 0x7f8, 0x7f9],
  ])("raises #GP when it leads to %s", (_, selector, errorCode) => {
    const bench = new KernelBench();
    bench.changeGate(6, { selector });
    expect(arrived(bench.run("ud2"))).toMatchObject({ vector: 13, frame: { errorCode } });
  });
});

// Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 8, double fault).
describe("A fault while a fault is delivered", () => {
  test("becomes #DF with error code 0 when both are contributory", () => {
    const bench = new KernelBench();
    bench.changeGate(13, { type: 0x0e });
    bench.changeGate(8, { ist: 1 });
    const { vector, frame } = arrived(bench.run("mov ax, 0x1238\nmov ds, ax"));
    expect([vector, frame.errorCode]).toEqual([8, 0]);
    expect(frame.at).toBe(BigInt(ADDRESS.ist1 - 48));
  });

  test("becomes #DF when the stack of a page fault's handler is not there", () => {
    const bench = new KernelBench();
    bench.changeGate(8, { ist: 1 });
    const { vector } = arrived(bench.run("mov rsp, 0x700000\nmov rax, [0x700000]"));
    expect(vector).toBe(8);
    expect(bench.state.cr2).toBe(0x6f_fff8n);
  });

  test("shuts the processor down when the double fault cannot be delivered either", () => {
    const bench = new KernelBench();
    bench.changeGate(8, { type: 0x0e });
    bench.changeGate(13, { type: 0x0e });
    const outcome = bench.run("mov ax, 0x1238\nmov ds, ax");
    expect(outcome).toMatchObject({ kind: "exit", exit: { reason: "shutdown" } });
  });
});

// Intel SDM Vol. 3A §6.8.1, "Masking Maskable Hardware Interrupts"; §6.8.3, "Masking Exceptions and Interrupts When
// Switching Stacks".
describe("External interrupts", () => {
  test("wait for IF, and for the instruction after STI", () => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, "nop\nsti\nnop\nnop\nhlt");
    bench.enter();
    bench.processor.setInterruptRequest(true);
    const { vector, frame } = arrived(bench.go());
    expect(vector).toBe(0x40);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 3));
    expect(frame.rflags & IF).toBe(IF);
  });

  test("are not held back by an STI that finds IF set", () => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, "sti\nnop\nhlt");
    bench.enter({ rflags: IF | 2n });
    bench.processor.run(1);
    bench.processor.setInterruptRequest(true);
    expect(arrived(bench.go()).frame.rip).toBe(BigInt(ADDRESS.code + 1));
  });

  test("wait for the instruction after MOV SS", () => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, "mov eax, 0x10\nmov ss, ax\nmov rsp, 0x6f000\nhlt");
    bench.enter({ rflags: IF | 2n });
    bench.processor.run(2);
    bench.processor.setInterruptRequest(true);
    expect(arrived(bench.go()).frame.rsp).toBe(0x6_f000n);
  });

  test("are taken after POPF and IRET that set IF", () => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, "push 0x202\npopfq\nnop\nhlt");
    bench.enter();
    bench.processor.setInterruptRequest(true);
    expect(arrived(bench.go()).frame.rip).toBe(BigInt(ADDRESS.code + 6));
  });

  test("wake the processor from HLT", () => {
    const bench = new KernelBench();
    halted(bench.run("hlt\nnop\nhlt", { rflags: IF | 2n }));
    bench.processor.setInterruptRequest(true);
    expect(arrived(bench.go()).frame.rip).toBe(BigInt(ADDRESS.code + 1));
  });
});

// Intel SDM Vol. 3A §6.7.1, "Handling Multiple NMIs".
describe("NMI", () => {
  test("is taken with IF = 0, and blocks the next one until IRET", () => {
    const bench = new KernelBench();
    const handler = bench.handler(0, "inc ebx\ncmp ebx, 2\nje done\niretq\ndone: hlt");
    bench.setGate(2, handler);
    bench.load(ADDRESS.code, "nop\nnop\nhlt");
    bench.enter();
    bench.processor.requestNmi();
    bench.processor.run(2);
    bench.processor.requestNmi();
    expect(bench.state.rbx).toBe(1n);
    bench.processor.run(2);
    // CMP and JE ran: the second one waits for IRET.
    expect(bench.state.rbx).toBe(1n);
    bench.go();
    expect(bench.state.rbx).toBe(2n);
  });

  test("that waited is taken before the instruction that IRET returns to, also with IF = 0", () => {
    const bench: KernelBench = new KernelBench({
      ports: { read: () => 0, write: () => bench.processor.requestNmi() },
    });
    const handler = bench.handler(
      0,
      "inc ebx\ncmp ebx, 2\nje done\nout 0x10, al\niretq\ndone: mov rcx, [rsp]\nhlt",
    );
    bench.setGate(2, handler);
    bench.load(ADDRESS.code, "out 0x10, al\nnop\nnop\nhlt");
    bench.enter();
    bench.go();
    expect([bench.state.rbx, bench.state.rcx]).toEqual([2n, BigInt(ADDRESS.code + 2)]);
  });
});

// Intel SDM Vol. 3B §18.3.1.4, "Single-Step Exception Condition".
describe("Single step", () => {
  test("raises #DB after the instruction, with DR6.BS set", () => {
    const bench = new KernelBench();
    const { vector, frame } = arrived(bench.run("nop\ninc eax\nhlt", { rflags: TF | 2n }));
    expect(vector).toBe(1);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 1));
    expect(frame.rflags & TF).toBe(TF);
    expect(bench.state.rflags & TF).toBe(0n);
  });

  test("waits for the instruction after MOV SS", () => {
    const bench = new KernelBench();
    const { vector, frame } = arrived(
      bench.run("mov ss, ax\nmov rsp, 0x6f000\nhlt", { rflags: TF | 2n }),
    );
    expect([vector, frame.rsp]).toEqual([1, 0x6_f000n]);
  });

  test("begins after the instruction that follows the POPF that sets TF", () => {
    const bench = new KernelBench();
    const { vector, frame } = arrived(bench.run("push 0x102\npopfq\nnop\nnop\nhlt"));
    expect(vector).toBe(1);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 7));
  });

  test("raises one #DB for each iteration of a repeated string instruction", () => {
    const bench = new KernelBench();
    const { vector, frame } = arrived(
      bench.run("mov edi, 0x80000\nmov ecx, 3\npush 0x102\npopfq\nrep stosb\nhlt"),
    );
    expect(vector).toBe(1);
    expect(bench.state.rcx).toBe(2n);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 16));
  });
});
