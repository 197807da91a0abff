import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import {
  ADDRESS,
  arrived,
  CALL_GATE_HANDLER,
  halted,
  KernelBench,
  PTE,
  SELECTOR,
} from "../testing/kernel-bench.ts";

/** Where tests put the target of a transfer. */
const TARGET = ADDRESS.code + 0x800;

function withTarget(text: string, mode: 32 | 64 = 64): KernelBench {
  const bench = new KernelBench();
  bench.load(TARGET, text, mode);
  return bench;
}

function pointer(bench: KernelBench, offset: bigint, selector: number, bytes: 2 | 4 | 8): void {
  bench.memory.physical.writeU64(ADDRESS.data, offset);
  bench.memory.physical.writeU16(ADDRESS.data + bytes, selector);
}

// Intel SDM Vol. 2A, "JMP—Jump" (operation).
describe("Far JMP", () => {
  coversEncodings(
    "jmp | o16 EA cd",
    "jmp | o32 EA cp",
    "jmp | o16 FF /5",
    "jmp | o32 FF /5",
    "jmp | REX.W FF /5",
  );

  test("goes to 64-bit code through 32-bit and 64-bit pointers", () => {
    for (const [size, bytes] of [
      ["fword", 4],
      ["tbyte", 8],
    ] as const) {
      const bench = withTarget("mov ebx, 7\nhlt");
      pointer(bench, BigInt(TARGET), SELECTOR.conforming, bytes);
      halted(bench.run(`jmp far ${size} ptr [${ADDRESS.data}]`));
      expect(bench.state.rbx).toBe(7n);
      expect(bench.state.segment("cs").selector).toBe(SELECTOR.conforming);
    }
  });

  test("goes from 64-bit to 32-bit code and back", () => {
    const bench = withTarget(`inc ecx\njmp ${SELECTOR.code}:${TARGET + 0x100}`, 32);
    bench.load(TARGET + 0x100, "mov rbx, 0x123456789abcdef0\nhlt");
    pointer(bench, BigInt(TARGET), SELECTOR.code32, 4);
    halted(bench.run(`xor ecx, ecx\njmp far fword ptr [${ADDRESS.data}]`));
    expect([bench.state.rcx, bench.state.rbx]).toEqual([1n, 0x1234_5678_9abc_def0n]);
  });

  test("truncates the offset to 16 bits with a 16-bit pointer", () => {
    const bench = withTarget("hlt");
    bench.load(0x5000, "mov ebx, 9\nhlt");
    pointer(bench, 0x5000n, SELECTOR.code, 2);
    halted(bench.run(`jmp far dword ptr [${ADDRESS.data}]`));
    expect(bench.state.rbx).toBe(9n);
    bench.load(0x5000, "mov ebx, 10\nhlt", 32);
    halted(bench.run(`o16 jmp ${SELECTOR.code32}:0x5000`, { mode: 32 }));
    expect(bench.state.rbx).toBe(10n);
  });

  test.each([
    ["null", 0, 0, 13, 0],
    ["beyond the GDT", 0x1f8, 0, 13, 0x1f8],
    ["of a data segment", SELECTOR.data, 0, 13, SELECTOR.data],
    ["of a TSS", SELECTOR.tss, 0, 13, SELECTOR.tss],
    ["of less privileged code", SELECTOR.userCode, 0, 13, SELECTOR.userCode],
    ["of more privileged code", SELECTOR.code, 3, 13, SELECTOR.code],
    ["with an RPL above CPL", SELECTOR.code | 3, 0, 13, SELECTOR.code],
  ] as const)("refuses a selector %s", (_, selector, cpl, vector, errorCode) => {
    const bench = withTarget("int 0x80");
    pointer(bench, BigInt(TARGET), selector, 4);
    const outcome = bench.run(`jmp far fword ptr [${ADDRESS.data}]`, { cpl });
    expect(arrived(outcome)).toMatchObject({
      vector,
      frame: { errorCode, rip: BigInt(ADDRESS.code) },
    });
  });

  test("refuses code that is not present, code with L and D, and an offset that is not canonical", () => {
    const bench = withTarget("hlt");
    pointer(bench, BigInt(TARGET), SELECTOR.executeOnly, 4);
    const text = `jmp far fword ptr [${ADDRESS.data}]`;
    bench.setDescriptor(SELECTOR.executeOnly, 0x00af_1a00_0000_ffffn);
    expect(arrived(bench.run(text))).toMatchObject({
      vector: 11,
      frame: { errorCode: SELECTOR.executeOnly },
    });
    bench.setDescriptor(SELECTOR.executeOnly, 0x00ef_9a00_0000_ffffn);
    expect(arrived(bench.run(text))).toMatchObject({
      vector: 13,
      frame: { errorCode: SELECTOR.executeOnly },
    });
    pointer(bench, 0x8000_0000_0000n, SELECTOR.code, 8);
    expect(arrived(bench.run(`jmp far tbyte ptr [${ADDRESS.data}]`))).toMatchObject({
      vector: 13,
      frame: { errorCode: 0 },
    });
  });

  test("to conforming code at CPL 3 stays at CPL 3", () => {
    const bench = withTarget("mov ebx, cs\nint 0x80");
    pointer(bench, BigInt(TARGET), SELECTOR.conforming, 4);
    expect(arrived(bench.run(`jmp far fword ptr [${ADDRESS.data}]`, { cpl: 3 })).vector).toBe(0x80);
    expect(bench.state.rbx).toBe(BigInt(SELECTOR.conforming | 3));
  });
});

// Intel SDM Vol. 2A, "CALL—Call Procedure" (operation); Vol. 2B, "RET—Return From Procedure".
describe("Far CALL and far RET", () => {
  coversEncodings(
    "call | o16 9A cd",
    "call | o32 9A cp",
    "call | o16 FF /3",
    "call | o32 FF /3",
    "call | REX.W FF /3",
    "retf",
  );

  test.each([
    ["dword", 2, "db 0x66\nretf", 4],
    ["fword", 4, "retf", 8],
    ["tbyte", 8, "db 0x48\nretf", 16],
  ] as const)(
    "through a %s pointer push CS and RIP of that size, and come back",
    (size, bytes, ret, pushed) => {
      const bench = new KernelBench();
      bench.load(0x5000, `mov rbx, rsp\n${ret}`);
      pointer(bench, 0x5000n, SELECTOR.code, bytes);
      // 16-bit return addresses reach the first 64 KiB only.
      bench.load(0x6000, `mov rcx, rsp\ncall far ${size} ptr [${ADDRESS.data}]\nsub rcx, rbx\nhlt`);
      halted(bench.run("mov eax, 0x6000\njmp rax"));
      expect(bench.state.rcx).toBe(BigInt(pushed));
      expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
    },
  );

  test("RET n releases parameters", () => {
    const bench = new KernelBench();
    bench.load(TARGET, "retf 0x18");
    pointer(bench, BigInt(TARGET), SELECTOR.code, 4);
    halted(bench.run(`push rax\npush rax\npush rax\ncall far fword ptr [${ADDRESS.data}]\nhlt`));
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
  });

  test("direct pointers in 32-bit code", () => {
    const bench = new KernelBench();
    bench.load(0x5000, "inc ebx\nretf", 32);
    bench.load(0x5100, "inc ebx\ndb 0x66\nretf", 32);
    bench.load(
      0x6000,
      `xor ebx, ebx\ncall ${SELECTOR.code32}:0x5000\no16 call ${SELECTOR.code32}:0x5100\nhlt`,
      32,
    );
    halted(bench.run("mov eax, 0x6000\njmp eax", { mode: 32 }));
    expect(bench.state.rbx).toBe(2n);
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
  });

  test("RET to an outer level pops SS:RSP, releases parameters on both stacks, and empties inner data segments", () => {
    const bench = withTarget("mov ebx, cs\nmov ecx, ds\nmov edx, es\nint 0x80");
    const text = `
      mov eax, ${SELECTOR.userData}
      mov es, ax
      push ${SELECTOR.userData | 3}
      push ${ADDRESS.userStack}
      sub rsp, 0x10
      push ${SELECTOR.userCode | 3}
      push ${TARGET}
      db 0x48
      retf 0x10
    `;
    const { vector, frame } = arrived(bench.run(text));
    expect(vector).toBe(0x80);
    expect(frame).toMatchObject({
      cs: SELECTOR.userCode | 3,
      ss: SELECTOR.userData | 3,
      rsp: BigInt(ADDRESS.userStack + 0x10),
    });
    expect([bench.state.rbx, bench.state.rcx, bench.state.rdx]).toEqual([0x33n, 0n, 0x28n]);
  });
});

// Intel SDM Vol. 3A §5.8.3.1, "IA-32e Mode Call Gates"; §5.8.5.1, "Stack Switching in 64-bit Mode".
describe("A 64-bit call gate", () => {
  const call = `call far fword ptr [${ADDRESS.data}]\nint 0x80`;

  function withGate(selector: number = SELECTOR.callGate): KernelBench {
    const bench = new KernelBench();
    pointer(bench, 0n, selector, 4);
    return bench;
  }

  test("leads to CPL 0 with SS, RSP, CS and RIP on the TSS's stack, and RET leads back", () => {
    const bench = withGate();
    bench.handler(
      CALL_GATE_HANDLER,
      "mov rbx, [rsp]\nmov rcx, [rsp+8]\nmov rdx, [rsp+16]\nmov rsi, [rsp+24]\nmov edi, cs\ndb 0x48\nretf",
    );
    const { vector, frame } = arrived(bench.run(call, { cpl: 3 }));
    expect(vector).toBe(0x80);
    expect(frame).toMatchObject({ cs: SELECTOR.userCode | 3, rsp: BigInt(ADDRESS.userStack) });
    expect([bench.state.rbx, bench.state.rcx, bench.state.rdx, bench.state.rsi]).toEqual([
      BigInt(ADDRESS.code + 7),
      BigInt(SELECTOR.userCode | 3),
      BigInt(ADDRESS.userStack),
      BigInt(SELECTOR.userData | 3),
    ]);
    expect(bench.state.rdi).toBe(BigInt(SELECTOR.code));
  });

  test("pushes CS and RIP only without a change of level", () => {
    const bench = withGate();
    bench.handler(CALL_GATE_HANDLER, "mov rbx, rsp\nhlt");
    halted(bench.run(call));
    expect(bench.state.rbx).toBe(BigInt(ADDRESS.kernelStack - 0x1010));
  });

  test("raises #GP when JMP would change the level, or CPL or RPL is above its DPL", () => {
    const bench = withGate();
    const jump = arrived(bench.run(`jmp far fword ptr [${ADDRESS.data}]`, { cpl: 3 }));
    expect(jump).toMatchObject({ vector: 13, frame: { errorCode: SELECTOR.code } });
    const gate = bench.memory.physical.readU64(ADDRESS.gdt + SELECTOR.callGate);
    bench.setDescriptor(SELECTOR.callGate, gate & ~(0x60n << 40n));
    expect(arrived(bench.run(call, { cpl: 3 }))).toMatchObject({
      vector: 13,
      frame: { errorCode: SELECTOR.callGate },
    });
    const byRpl = withGate(SELECTOR.callGate | 3);
    byRpl.setDescriptor(SELECTOR.callGate, gate & ~(0x60n << 40n));
    expect(arrived(byRpl.run(call))).toMatchObject({
      vector: 13,
      frame: { errorCode: SELECTOR.callGate },
    });
  });

  test("raises #NP when it is not present, and #GP when it leads to 32-bit code", () => {
    const bench = withGate();
    const gate = bench.memory.physical.readU64(ADDRESS.gdt + SELECTOR.callGate);
    bench.setDescriptor(SELECTOR.callGate, gate & ~(0x80n << 40n));
    expect(arrived(bench.run(call))).toMatchObject({
      vector: 11,
      frame: { errorCode: SELECTOR.callGate },
    });
    bench.setDescriptor(
      SELECTOR.callGate,
      (gate & ~0xffff_0000n) | (BigInt(SELECTOR.code32) << 16n),
    );
    expect(arrived(bench.run(call))).toMatchObject({
      vector: 13,
      frame: { errorCode: SELECTOR.code32 },
    });
  });

  test("becomes an event under monitor delivery, with nothing pushed", () => {
    const bench = withGate();
    bench.load(ADDRESS.code, call);
    bench.enter({ cpl: 3 });
    bench.processor.delivery = "monitor";
    expect(bench.go()).toEqual({
      kind: "exit",
      exit: { reason: "event", event: { kind: "call-gate", selector: SELECTOR.callGate } },
    });
    expect(bench.state.cpl).toBe(3);
    expect(bench.state.rip).toBe(BigInt(ADDRESS.code + 7));
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.userStack));
  });
});

// Intel SDM Vol. 2A, "IRET/IRETD/IRETQ—Interrupt Return" (operation).
describe("IRET", () => {
  coversEncodings("iret");

  /** Pushes a frame and returns with it. */
  const frame = (
    options: { ss?: number; rsp?: number; flags?: number; cs?: number; rip?: number } = {},
  ): string => {
    const {
      ss = SELECTOR.data,
      rsp = ADDRESS.kernelStack - 0x2000,
      flags = 2,
      cs = SELECTOR.code,
      rip = TARGET,
    } = options;
    return `push ${ss}\npush ${rsp}\npush ${flags}\npush ${cs}\npush ${rip}\niretq`;
  };

  test("to the same level pops SS:RSP too in 64-bit code", () => {
    const bench = withTarget("hlt");
    halted(bench.run(frame()));
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x2000));
  });

  test("to CPL 3 empties data segments of the kernel, and leaves user ones", () => {
    const bench = withTarget("mov eax, ds\nmov ebx, es\nmov ecx, cs\nint 0x80");
    const user = {
      ss: SELECTOR.userData | 3,
      rsp: ADDRESS.userStack,
      cs: SELECTOR.userCode | 3,
      flags: 0x202,
    };
    const { vector, frame: pushed } = arrived(
      bench.run(`mov eax, ${SELECTOR.userData}\nmov es, ax\n${frame(user)}`),
    );
    expect(vector).toBe(0x80);
    expect(pushed).toMatchObject({ ss: SELECTOR.userData | 3, rsp: BigInt(ADDRESS.userStack) });
    expect([bench.state.rax, bench.state.rbx, bench.state.rcx]).toEqual([0n, 0x28n, 0x33n]);
  });

  test("to 32-bit code at CPL 3 takes the low half of RSP", () => {
    const bench = withTarget("mov eax, cs\nint 0x80", 32);
    const user = { ss: SELECTOR.userData | 3, rsp: ADDRESS.userStack, cs: SELECTOR.userCode32 | 3 };
    expect(arrived(bench.run(frame(user))).frame.cs).toBe(SELECTOR.userCode32 | 3);
    expect(bench.state.rax).toBe(BigInt(SELECTOR.userCode32 | 3));
  });

  test("restores all flags at CPL 0, but not VM, VIF and VIP", () => {
    const bench = withTarget("pushfq\npop rax\nhlt");
    halted(bench.run(frame({ flags: 0x003f_7ed7 & ~0x100 })));
    expect(bench.state.rax).toBe(0x24_7ed7n & ~0x100n);
  });

  test("leaves IF and IOPL alone at CPL 3", () => {
    const bench = withTarget("pushfq\npop rax\nint 0x80");
    const user = {
      ss: SELECTOR.userData | 3,
      rsp: ADDRESS.userStack,
      cs: SELECTOR.userCode | 3,
      flags: 0x3003,
    };
    arrived(bench.run(frame(user), { cpl: 3, rflags: 0x202n }));
    expect(bench.state.rax).toBe(0x203n);
  });

  test("unblocks NMIs, and with TF set the next instruction traps", () => {
    const bench = withTarget("nop\nnop\nhlt");
    const { vector, frame: pushed } = arrived(bench.run(frame({ flags: 0x102 })));
    expect([vector, pushed.rip]).toEqual([1, BigInt(TARGET + 1)]);
  });

  test.each([
    ["a null CS", { cs: 0 }, 13, 0],
    ["a data segment in CS", { cs: SELECTOR.data }, 13, SELECTOR.data],
    ["a CS beyond the GDT", { cs: 0x1f8 }, 13, 0x1f8],
    [
      "an RPL that is not the DPL",
      { cs: SELECTOR.userCode | 1, ss: SELECTOR.data1 | 1 },
      13,
      SELECTOR.userCode,
    ],
    ["a null SS at CPL 3", { cs: SELECTOR.userCode | 3, ss: 3 }, 13, 0],
    [
      "an SS of another level",
      { cs: SELECTOR.userCode | 3, ss: SELECTOR.data | 3 },
      13,
      SELECTOR.data,
    ],
    ["an SS that cannot be written", { ss: SELECTOR.readOnlyData }, 13, SELECTOR.readOnlyData],
    ["an SS that is not present", { ss: SELECTOR.absentData }, 12, SELECTOR.absentData],
  ] as const)("refuses %s", (_, options, vector, errorCode) => {
    const bench = withTarget("hlt");
    expect(arrived(bench.run(frame(options)))).toMatchObject({ vector, frame: { errorCode } });
    expect(bench.state.cpl).toBe(0);
  });

  test("refuses an inner level, NT, and a RIP that is not canonical", () => {
    const bench = withTarget("hlt");
    const inner = arrived(bench.run(frame(), { cpl: 3 }));
    expect(inner).toMatchObject({ vector: 13, frame: { errorCode: SELECTOR.code } });
    const nested = arrived(bench.run(frame(), { rflags: 0x4002n }));
    expect(nested).toMatchObject({ vector: 13, frame: { errorCode: 0 } });
    const far = arrived(
      bench.run("mov rax, 0x800000000000\npush 0x10\npush 0x6000\npush 2\npush 8\npush rax\niretq"),
    );
    expect(far).toMatchObject({ vector: 13, frame: { errorCode: 0, cs: SELECTOR.code } });
  });

  test("a null SS is allowed in 64-bit code above CPL 3", () => {
    const bench = withTarget("hlt");
    halted(bench.run(frame({ ss: 0 })));
    expect(bench.state.segment("ss").selector).toBe(0);
  });

  test("pops three slots of 4 or 2 bytes in 32-bit code without a change of level", () => {
    const bench = new KernelBench();
    bench.load(0x5000, "hlt", 32);
    halted(bench.run(`push 0x2\npush ${SELECTOR.code32}\npush 0x5000\niretd`, { mode: 32 }));
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
    halted(
      bench.run(`o16 push 0x2\no16 push ${SELECTOR.code32}\no16 push 0x5000\ndb 0x66\niretd`, {
        mode: 32,
      }),
    );
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
  });

  test("pops five slots of 4 bytes in 32-bit code for an outer level", () => {
    const bench = withTarget("mov eax, cs\nint 0x80", 32);
    const text = `push ${SELECTOR.userData | 3}\npush ${ADDRESS.userStack}\npush 2\npush ${SELECTOR.userCode32 | 3}\npush ${TARGET}\niretd`;
    expect(arrived(bench.run(text, { mode: 32 })).frame.rsp).toBe(BigInt(ADDRESS.userStack));
    expect(bench.state.rax).toBe(BigInt(SELECTOR.userCode32 | 3));
  });

  test("changes nothing when its frame cannot be read", () => {
    const bench = withTarget("hlt");
    bench.changeGate(14, { ist: 1 });
    bench.load(ADDRESS.code, `mov rsp, ${ADDRESS.pages + 0x1000}\niretq`);
    bench.enter();
    bench.setPage(ADDRESS.pages + 0x1000, PTE.W);
    const { vector, frame: pushed } = arrived(bench.go());
    expect([vector, pushed.errorCode, pushed.rsp]).toEqual([14, 0, BigInt(ADDRESS.pages + 0x1000)]);
  });
});

// Intel SDM Vol. 3A §3.4.5.1, "Code- and Data-Segment Descriptor Types" (the accessed bit).
describe("An accessed flag that cannot be stored", () => {
  const ACCESSED = 1n << 40n;

  /** All descriptors but `fresh` are accessed already, and their page can only be read. */
  function withReadOnlyGdt(fresh: number): KernelBench {
    const bench = withTarget("hlt");
    const { physical } = bench.memory;
    physical.copy(ADDRESS.gdt, ADDRESS.pages, 0x100);
    for (const selector of [SELECTOR.code, SELECTOR.data, SELECTOR.conforming]) {
      const descriptor = physical.readU64(ADDRESS.pages + selector);
      const flag = selector === fresh ? 0n : ACCESSED;
      physical.writeU64(ADDRESS.pages + selector, descriptor | flag);
    }
    bench.setPage(ADDRESS.pages, PTE.P);
    bench.changeGate(14, { ist: 1 });
    return bench;
  }

  test.each([
    ["far CALL", `call far fword ptr [${ADDRESS.data}]`, SELECTOR.conforming, 0],
    ["far JMP", `jmp far fword ptr [${ADDRESS.data}]`, SELECTOR.conforming, 0],
    [
      "far RET",
      `push ${SELECTOR.conforming}\npush ${TARGET}\ndb 0x48\nretf`,
      SELECTOR.conforming,
      -16,
    ],
    [
      "IRET",
      `push ${SELECTOR.data}\npush 0x6000\npush 2\npush ${SELECTOR.conforming}\npush ${TARGET}\niretq`,
      SELECTOR.conforming,
      -40,
    ],
    ["MOV to SS", `mov eax, ${SELECTOR.data}\nmov ss, eax`, SELECTOR.data, 0],
  ] as const)("makes %s fault with the stack pointer as it was", (_, text, fresh, moved) => {
    const bench = withReadOnlyGdt(fresh);
    pointer(bench, BigInt(TARGET), SELECTOR.conforming, 4);
    bench.load(ADDRESS.code, text);
    bench.enter();
    bench.moveGdt(ADDRESS.pages);
    const { vector, frame } = arrived(bench.go());
    expect(vector).toBe(14);
    expect(frame).toMatchObject({
      errorCode: 3,
      cs: SELECTOR.code,
      ss: SELECTOR.data,
      rsp: BigInt(ADDRESS.kernelStack - 0x1000 + moved),
    });
  });
});
