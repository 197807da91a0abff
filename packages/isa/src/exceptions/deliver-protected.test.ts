import { describe, expect, test } from "vitest";
import { slots } from "../state/layout.ts";
import { ADDRESS, KernelBench, SELECTOR, type Outcome } from "../testing/kernel-bench.ts";

const IDT = 0x1_4000;
const TSS = 0x1_5000;
const HANDLER = 0x1_6000;
const USER_CODE = 0x1_7000;

/** 32-bit protected mode without paging: flat segments, an IDT of 8-byte gates, a 32-bit TSS. */
function protectedMode(text: string): KernelBench {
  const bench = new KernelBench();
  const { physical } = bench.memory;
  const { state } = bench;
  bench.load(ADDRESS.code, text, 32);
  bench.load(HANDLER, "hlt", 32);
  state.enterProtectedMode32({ rip: ADDRESS.code });
  state.rsp = BigInt(ADDRESS.kernelStack - 0x1000);
  state.setSegment("cs", {
    selector: SELECTOR.code32,
    base: 0n,
    limit: 0xffff_ffff,
    attributes: 0xc09b,
  });
  state.set(slots.gdtrBase, BigInt(ADDRESS.gdt));
  state.set(slots.gdtrLimit, 0xffn);
  state.set(slots.idtrBase, BigInt(IDT));
  state.set(slots.idtrLimit, 0x7ffn);
  state.setSegment("tr", {
    selector: SELECTOR.tss,
    base: BigInt(TSS),
    limit: 0x67,
    attributes: 0x8b,
  });
  physical.writeU32(TSS + 4, ADDRESS.kernelStack);
  physical.writeU32(TSS + 8, SELECTOR.data);
  for (let vector = 0; vector < 256; vector += 1) setGate(bench, vector, 0xee);
  return bench;
}

function setGate(
  bench: KernelBench,
  vector: number,
  flags: number,
  selector: number = SELECTOR.code32,
): void {
  const gate =
    BigInt(HANDLER & 0xffff) |
    (BigInt(selector) << 16n) |
    (BigInt(flags) << 40n) |
    (BigInt(HANDLER >> 16) << 48n);
  bench.memory.physical.writeU64(IDT + vector * 8, gate);
}

/** Checks that the handler was reached, and gives the 32-bit words that were pushed, from the top of the stack. */
function pushed(bench: KernelBench, outcome: Outcome, count: number): readonly number[] {
  expect(outcome).toMatchObject({ kind: "halted", rip: BigInt(HANDLER) });
  const rsp = Number(bench.state.rsp);
  return Array.from({ length: count }, (_, index) =>
    bench.memory.physical.readU32(rsp + index * 4),
  );
}

/** Leaves for CPL 3 at USER_CODE. */
const toUser = `
  push ${SELECTOR.userData | 3}
  push ${ADDRESS.userStack}
  push 0x2
  push ${SELECTOR.userCode32 | 3}
  push ${USER_CODE}
  iretd
`;

// Intel SDM Vol. 3A §6.12.1, "Exception- or Interrupt-Handler Procedures".
describe("Delivery in 32-bit protected mode", () => {
  test("pushes EFLAGS, CS, EIP and the error code on the same stack without a change of CPL", () => {
    const bench = protectedMode("mov ax, 0x1f8\nmov ds, ax");
    const frame = pushed(bench, bench.go(), 4);
    expect(frame).toEqual([0x1f8, ADDRESS.code + 4, SELECTOR.code32, 0x1_0002]);
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000 - 16));
  });

  test("switches to SS0:ESP0 of the TSS from CPL 3, and IRET comes back", () => {
    const bench = protectedMode(toUser);
    bench.load(USER_CODE, "int 0x80\nnop", 32);
    const frame = pushed(bench, bench.go(), 5);
    expect(frame).toEqual([
      USER_CODE + 2,
      SELECTOR.userCode32 | 3,
      2,
      ADDRESS.userStack,
      SELECTOR.userData | 3,
    ]);
    expect([bench.state.cpl, bench.state.segment("ss").selector]).toEqual([0, SELECTOR.data]);
    bench.load(HANDLER, "mov eax, 7\niretd", 32);
    const again = protectedMode(toUser);
    again.load(USER_CODE, "int 0x80\nmov ebx, cs\nint 0x81", 32);
    again.load(HANDLER + 0x100, "mov eax, 7\niretd", 32);
    again.memory.physical.writeU16(IDT + 0x80 * 8, (HANDLER + 0x100) & 0xffff);
    pushed(again, again.go(), 5);
    expect([again.state.rax, again.state.rbx]).toEqual([7n, BigInt(SELECTOR.userCode32 | 3)]);
  });

  test("pushes 16-bit slots through a 16-bit gate", () => {
    const bench = protectedMode("int 0x30");
    const target = 0x8800;
    bench.load(target, "hlt", 32);
    bench.memory.physical.writeU64(
      IDT + 0x30 * 8,
      BigInt(target) | (BigInt(SELECTOR.code32) << 16n) | (0xe6n << 40n),
    );
    expect(bench.go()).toMatchObject({ kind: "halted", rip: BigInt(target) });
    const rsp = Number(bench.state.rsp);
    expect(rsp).toBe(ADDRESS.kernelStack - 0x1000 - 6);
    expect(bench.memory.physical.readU16(rsp + 2)).toBe(SELECTOR.code32);
  });

  test.each([
    ["a task gate that names no TSS", 0xe5, SELECTOR.code32, SELECTOR.code32],
    ["a gate to a data segment", 0xee, SELECTOR.data, SELECTOR.data],
  ])("raises #GP for %s", (_, flags, selector, errorCode) => {
    const bench = protectedMode("int 0x30");
    setGate(bench, 0x30, flags, selector);
    expect(pushed(bench, bench.go(), 1)).toEqual([errorCode]);
  });

  test("raises #NP for a gate that is not present, and #TS when the TSS's SS cannot be used", () => {
    const absent = protectedMode("int 0x30");
    setGate(absent, 0x30, 0x6e);
    expect(pushed(absent, absent.go(), 1)).toEqual([0x30 * 8 + 2]);
    const bench = protectedMode(toUser);
    bench.load(USER_CODE, "int 0x80", 32);
    bench.memory.physical.writeU32(TSS + 8, SELECTOR.userData);
    // #TS needs the same stack, so the processor gives up.
    expect(bench.go()).toMatchObject({ kind: "exit", exit: { reason: "shutdown" } });
  });

  test("an interrupt gate clears IF, a trap gate does not", () => {
    for (const [flags, expected] of [
      [0xee, 0n],
      [0xef, 0x200n],
    ] as const) {
      const bench = protectedMode("sti\nint 0x30");
      setGate(bench, 0x30, flags);
      pushed(bench, bench.go(), 3);
      expect(bench.state.rflags & 0x200n).toBe(expected);
    }
  });
});

// Intel SDM Vol. 3B §21.1.4, "Interrupt and Exception Handling".
describe("Delivery in real-address mode", () => {
  test("goes through the interrupt vector table and pushes FLAGS, CS and IP", () => {
    const bench = new KernelBench();
    const { physical } = bench.memory;
    bench.processor.reset();
    physical.writeU32(2 * 4, 0x1234_5678);
    bench.state.rsp = 0x8000n;
    bench.processor.requestNmi();
    bench.processor.run(1);
    expect(bench.state.rip).toBe(0x5678n);
    expect(bench.state.segment("cs")).toMatchObject({ selector: 0x1234, base: 0x1_2340n });
    expect(bench.state.rsp).toBe(0x7ffan);
    expect([0, 2, 4].map((offset) => physical.readU16(0x7ffa + offset))).toEqual([
      0xfff0, 0xf000, 2,
    ]);
  });
});
