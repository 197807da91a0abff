import { describe, expect, test } from "vitest";
import { slots } from "../state/layout.ts";
import { coversEncodings } from "../testing.ts";
import {
  ADDRESS,
  arrived,
  halted,
  KernelBench,
  SELECTOR,
  type RunOptions,
} from "../testing/kernel-bench.ts";

const KERNEL = ADDRESS.code + 0x800;

function withEntry(handler: string, user: string, options: RunOptions = { cpl: 3 }): KernelBench {
  const bench = new KernelBench();
  bench.load(KERNEL, handler);
  bench.load(ADDRESS.code, user, options.mode);
  bench.enter(options);
  bench.state.set(slots.lstar, BigInt(KERNEL));
  bench.state.set(slots.sfmask, 0x4_0600n);
  bench.state.set(slots.sysenterCs, BigInt(SELECTOR.code));
  bench.state.set(slots.sysenterEsp, BigInt(ADDRESS.kernelStack));
  bench.state.set(slots.sysenterEip, BigInt(KERNEL));
  return bench;
}

// Intel SDM Vol. 2B, "SYSCALL—Fast System Call"; "SYSRET—Return From Fast System Call".
describe("SYSCALL", () => {
  coversEncodings("syscall", "sysret");

  test("enters LSTAR at CPL 0 with RCX, R11 and flat segments, and keeps RSP", () => {
    const bench = withEntry("mov ebx, cs\nmov edx, ss\npushfq\npop rsi\nhlt", "stc\nsyscall", {
      cpl: 3,
      rflags: 0x4_0602n,
    });
    halted(bench.go());
    const { state } = bench;
    expect([state.rcx, state.register(11)]).toEqual([BigInt(ADDRESS.code + 3), 0x4_0603n]);
    expect([state.rbx, state.rdx]).toEqual([BigInt(SELECTOR.code), BigInt(SELECTOR.data)]);
    // FMASK clears IF, DF and AC, and leaves CF.
    expect(state.rsi).toBe(0x3n);
    expect(state.rsp).toBe(BigInt(ADDRESS.userStack));
    expect(state.segment("cs")).toMatchObject({ base: 0n, limit: 0xffff_ffff, attributes: 0xa09b });
    expect(state.segment("ss")).toMatchObject({ base: 0n, limit: 0xffff_ffff, attributes: 0xc093 });
    expect(state.cpl).toBe(0);
  });

  test("and SYSRET with REX.W go there and back", () => {
    const bench = withEntry("mov ebx, 7\nsysretq", "syscall\nmov edx, cs\nmov esi, ss\nint 0x80", {
      cpl: 3,
      rflags: 0x202n,
    });
    const { vector, frame } = arrived(bench.go());
    expect(vector).toBe(0x80);
    expect(frame).toMatchObject({ cs: SELECTOR.userCode | 3, rflags: 0x202n });
    expect([bench.state.rbx, bench.state.rdx, bench.state.rsi]).toEqual([7n, 0x33n, 0x2bn]);
  });

  test("raises #UD when EFER.SCE is 0, and in 32-bit code", () => {
    const bench = withEntry("hlt", "syscall");
    bench.state.setControl("efer", bench.state.efer & ~1n);
    expect(arrived(bench.go()).vector).toBe(6);
    expect(arrived(withEntry("hlt", "db 0x0f, 0x05", { cpl: 3, mode: 32 }).go()).vector).toBe(6);
  });

  test("is an event under monitor delivery, with RCX and R11 written", () => {
    const bench = withEntry("hlt", "syscall", { cpl: 3, rflags: 0x202n });
    bench.processor.delivery = "monitor";
    expect(bench.go()).toEqual({
      kind: "exit",
      exit: { reason: "event", event: { kind: "syscall" } },
    });
    expect([bench.state.rcx, bench.state.register(11)]).toEqual([BigInt(ADDRESS.code + 2), 0x202n]);
    expect([bench.state.rip, bench.state.cpl]).toEqual([BigInt(ADDRESS.code + 2), 3]);
  });
});

describe("SYSRET", () => {
  test("without REX.W goes to 32-bit code", () => {
    const bench = withEntry(`mov ecx, ${ADDRESS.code + 0x100}\nsysret`, "syscall");
    bench.load(ADDRESS.code + 0x100, "mov eax, cs\nint 0x80", 32);
    expect(arrived(bench.go()).frame.cs).toBe(SELECTOR.userCode32 | 3);
    expect(bench.state.rax).toBe(0x23n);
  });

  test("takes flags from R11 but for RF, VM and the reserved ones", () => {
    const bench = withEntry(
      "mov r11, -1\nbtr r11, 8\nsysretq",
      "syscall\npushfq\npop rax\nint 0x80",
    );
    arrived(bench.go());
    expect(bench.state.rax).toBe(0x3c_7ed7n);
  });

  test("raises #GP(0) at CPL 0 for a RIP that is not canonical, and at CPL 3", () => {
    const bench = withEntry("mov rcx, 0x800000000000\nsysretq", "syscall");
    const { vector, frame } = arrived(bench.go());
    expect(vector).toBe(13);
    expect(frame).toMatchObject({ errorCode: 0, cs: SELECTOR.code, rip: BigInt(KERNEL + 10) });
    expect(arrived(withEntry("hlt", "sysretq").go())).toMatchObject({
      vector: 13,
      frame: { errorCode: 0 },
    });
  });

  test("raises #UD when EFER.SCE is 0", () => {
    const bench = withEntry("hlt", "sysretq", { cpl: 0 });
    bench.state.setControl("efer", bench.state.efer & ~1n);
    expect(arrived(bench.go()).vector).toBe(6);
  });
});

// Intel SDM Vol. 2B, "SYSENTER—Fast System Call"; "SYSEXIT—Fast Return from Fast System Call".
describe("SYSENTER and SYSEXIT", () => {
  coversEncodings("sysenter", "sysexit");

  test("go to 64-bit code at CPL 0 with IF clear and the stack of the MSR, from 32-bit code too, and back", () => {
    for (const mode of [32, 64] as const) {
      const back = mode === 64 ? "sysexitq" : "sysexit";
      const handler = `pushfq\npop rax\nmov ebx, cs\nmov esi, ss\nmov rdi, rsp\nmov edx, ${ADDRESS.code + 0x40}\nmov ecx, ${ADDRESS.userStack}\n${back}`;
      const bench = withEntry(handler, "sysenter", { cpl: 3, mode, rflags: 0x202n });
      bench.setDescriptor(SELECTOR.code + 32, 0x00af_fa00_0000_ffffn);
      bench.load(ADDRESS.code + 0x40, "int 0x80", mode);
      const { vector, frame } = arrived(bench.go());
      expect(vector).toBe(0x80);
      const offset = mode === 64 ? 32 : 16;
      expect(frame).toMatchObject({
        cs: (SELECTOR.code + offset) | 3,
        ss: (SELECTOR.code + offset + 8) | 3,
        rsp: BigInt(ADDRESS.userStack),
      });
      expect(bench.state.rax & 0x200n).toBe(0n);
      expect([bench.state.rbx, bench.state.rsi, bench.state.rdi]).toEqual([
        8n,
        0x10n,
        BigInt(ADDRESS.kernelStack),
      ]);
    }
  });

  test("raise #GP(0) with a null selector in the MSR, and SYSEXIT outside CPL 0", () => {
    for (const [text, cpl] of [
      ["sysenter", 3],
      ["sysexitq", 0],
    ] as const) {
      const bench = withEntry("hlt", text, { cpl });
      bench.state.set(slots.sysenterCs, 3n);
      expect(arrived(bench.go())).toMatchObject({ vector: 13, frame: { errorCode: 0 } });
    }
    expect(arrived(withEntry("hlt", "sysexitq").go())).toMatchObject({
      vector: 13,
      frame: { errorCode: 0 },
    });
  });

  test("SYSENTER is an event under monitor delivery", () => {
    const bench = withEntry("hlt", "sysenter");
    bench.processor.delivery = "monitor";
    expect(bench.go()).toEqual({
      kind: "exit",
      exit: { reason: "event", event: { kind: "sysenter" } },
    });
    expect([bench.state.rip, bench.state.cpl]).toEqual([BigInt(ADDRESS.code + 2), 3]);
  });
});
