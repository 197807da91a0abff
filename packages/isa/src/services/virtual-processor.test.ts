/** The services on a virtual processor: they do what the processor does, over accessors. */
import { describe, expect, test } from "vitest";
import { assemble } from "../assembler/assemble.ts";
import { VECTOR } from "../exceptions/vectors.ts";
import { slots } from "../state/layout.ts";
import { VirtualProcessor, type VirtualAccessors } from "./virtual-processor.ts";

const CODE = 0x10000;
const STACK = 0x20000;
const IDT = 0x30000;

function guest(): {
  readonly memory: Uint8Array;
  readonly view: DataView;
  readonly ports: number[];
  readonly accessors: VirtualAccessors;
} {
  const memory = new Uint8Array(0x40000);
  const view = new DataView(memory.buffer);
  const ports: number[] = [];
  // The first 2 MiB are mapped to themselves.
  view.setBigUint64(0x1000, 0x2007n, true);
  view.setBigUint64(0x2000, 0x3007n, true);
  view.setBigUint64(0x3000, 0x87n, true);
  const accessors: VirtualAccessors = {
    readPhysical: (physical, bytes) =>
      bytes.set(memory.subarray(physical, physical + bytes.length)),
    writePhysical: (physical, bytes) => memory.set(bytes, physical),
    readPort: (port) => port & 0xff,
    writePort: (port, _size, value) => void ports.push(port, value),
    readTaskPriority: () => 0,
    writeTaskPriority: () => undefined,
    invalidatePage: () => undefined,
    flushTlb: () => undefined,
    now: () => 0,
  };
  return { memory, view, ports, accessors };
}

function running(
  source: string,
  cpl: 0 | 3 = 0,
): ReturnType<typeof guest> & { readonly cpu: VirtualProcessor } {
  const made = guest();
  made.memory.set(assemble(source, { address: BigInt(CODE) }).bytes, CODE);
  const cpu = new VirtualProcessor({ accessors: made.accessors });
  cpu.state.enterLongMode({ cpl, cr3: 0x1000, rip: BigInt(CODE), rsp: BigInt(STACK) });
  return { ...made, cpu };
}

describe("VirtualProcessor.emulateOne", () => {
  test("executes one instruction and counts it by mnemonic", () => {
    const { cpu } = running("add rax, 5\nadd rax, 7");
    cpu.state.rax = 1n;
    expect(cpu.emulateOne()).toEqual({ kind: "retired", mnemonic: "add", lengthBytes: 4 });
    expect(cpu.state.rax).toBe(6n);
    expect(cpu.state.rip).toBe(BigInt(CODE + 4));
    expect([...cpu.emulated]).toEqual([["add", 1]]);
  });

  test("stores through the guest's page tables and sets A and D", () => {
    const { cpu, view } = running("mov qword ptr [rbx], rcx");
    cpu.state.rbx = 0x25000n;
    cpu.state.rcx = 0x1122_3344_5566_7788n;
    cpu.emulateOne();
    expect(view.getBigUint64(0x25000, true)).toBe(0x1122_3344_5566_7788n);
    expect(view.getBigUint64(0x3000, true) & 0x60n).toBe(0x60n);
  });

  test("reaches ports by the accessors", () => {
    const { cpu, ports } = running("out 0x80, al");
    cpu.state.rax = 0x42n;
    cpu.emulateOne();
    expect(ports).toEqual([0x80, 0x42]);
  });

  test("reports a page fault and leaves the state as it was", () => {
    const { cpu } = running("push rax");
    cpu.state.rsp = 0x20_0008n;
    cpu.state.setRegister(4, 0x40_0000n);
    expect(cpu.emulateOne()).toEqual({
      kind: "fault",
      vector: VECTOR.PF,
      errorCode: 2,
      linear: 0x3f_fff8n,
    });
    expect(cpu.state.rsp).toBe(0x40_0000n);
    expect(cpu.state.rip).toBe(BigInt(CODE));
  });

  test("refuses a privileged instruction at CPL 3 as the processor does", () => {
    const { cpu } = running("hlt", 3);
    expect(cpu.emulateOne()).toMatchObject({ kind: "fault", vector: VECTOR.GP, errorCode: 0 });
  });

  test("follows a branch", () => {
    const { cpu } = running("jmp target\nnop\ntarget: nop");
    cpu.emulateOne();
    expect(cpu.state.rip).toBe(BigInt(CODE + 3));
  });

  test("does one iteration of a repeated instruction at a time", () => {
    const { cpu, memory } = running("rep stosb");
    cpu.state.rdi = 0x25000n;
    cpu.state.rcx = 3n;
    cpu.state.rax = 0xabn;
    cpu.emulateOne();
    expect([cpu.state.rcx, cpu.state.rip]).toEqual([2n, BigInt(CODE)]);
    cpu.emulateOne();
    cpu.emulateOne();
    expect([cpu.state.rcx, cpu.state.rip]).toEqual([0n, BigInt(CODE + 2)]);
    expect([...memory.subarray(0x25000, 0x25004)]).toEqual([0xab, 0xab, 0xab, 0]);
  });
});

/** A GDT with 64-bit code in 0x08, and an IDT with interrupt gates to 0x15000. */
function loadTables(cpu: VirtualProcessor, view: DataView, vectors: readonly number[]): void {
  const gdt = 0x38000;
  view.setBigUint64(gdt + 8, 0x00af_9b00_0000_ffffn, true);
  for (const vector of vectors) view.setBigUint64(IDT + vector * 16, 0x0001_8e00_0008_5000n, true);
  cpu.state.set(slots.gdtrBase, BigInt(gdt));
  cpu.state.set(slots.gdtrLimit, 0x17n);
  cpu.state.set(slots.idtrBase, BigInt(IDT));
  cpu.state.set(slots.idtrLimit, 0xfffn);
}

describe("VirtualProcessor.deliver", () => {
  // Intel SDM Vol. 3A §6.14.2, "64-Bit Mode Stack Frame".
  test("pushes a 64-bit frame and enters the handler", () => {
    const { cpu, memory, view } = running("nop");
    loadTables(cpu, view, [14]);
    const result = cpu.deliver({ vector: 14, kind: "exception", errorCode: 2, linear: 0x1234n });
    expect(result).toEqual({ kind: "delivered", vector: 14 });
    expect(cpu.state.rip).toBe(0x1_5000n);
    expect(cpu.state.cr2).toBe(0x1234n);
    const rsp = Number(cpu.state.rsp);
    expect(rsp).toBe(STACK - 48);
    expect(new DataView(memory.buffer).getBigUint64(rsp, true)).toBe(2n);
    expect(view.getBigUint64(rsp + 8, true)).toBe(BigInt(CODE));
    expect([...cpu.delivered]).toEqual([[14, 1]]);
  });

  // Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (interrupt 8).
  test("makes a page fault of the delivery #DF, with its address in CR2", () => {
    const { cpu, view } = running("nop");
    loadTables(cpu, view, [8, 14]);
    // The gate of #DF has a stack of its own; the current one is not mapped.
    const tss = 0x3a000;
    view.setBigUint64(tss + 36, BigInt(STACK), true);
    cpu.state.setSegment("tr", {
      selector: 0x40,
      base: BigInt(tss),
      limit: 0x67,
      attributes: 0x8b,
    });
    view.setUint8(IDT + 8 * 16 + 4, 1);
    cpu.state.rsp = 0x20_1000n;
    const result = cpu.deliver({ vector: 14, kind: "exception", errorCode: 0, linear: 0x1234n });
    expect(result).toEqual({ kind: "delivered", vector: 8 });
    expect(cpu.state.cr2).toBe(0x20_0ff8n);
  });

  test("ends in shutdown when there is no IDT", () => {
    const { cpu } = running("nop");
    expect(cpu.deliver({ vector: 13, kind: "exception", errorCode: 0 }).kind).toBe("shutdown");
  });
});

describe("VirtualProcessor.walk", () => {
  test("translates by the guest's tables", () => {
    const { cpu } = running("nop");
    expect(cpu.walk(0x12345n, { write: true })).toEqual({
      kind: "translated",
      physical: 0x12345,
      writable: true,
    });
  });

  test("gives the fault of the access", () => {
    const { cpu } = running("nop");
    expect(cpu.walk(0x20_0000n, { user: true, execute: true })).toEqual({
      kind: "fault",
      vector: VECTOR.PF,
      errorCode: 0x14,
    });
  });
});
