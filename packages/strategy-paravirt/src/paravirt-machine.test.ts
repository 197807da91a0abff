import { describe, expect, test } from "vitest";
import { shutDown, testMachine, tinyKernel } from "./testing/tiny-kernel.ts";

describe("a paravirtual machine", () => {
  test("prints by console_io and ends with the value that the guest latched", () => {
    const { machine, log } = testMachine({
      image: tinyKernel(`
        mov eax, console_io
        xor edi, edi
        mov esi, 6
        lea rdx, [rel text]
        syscall
        mov ebx, 42
        ${shutDown}
        text: db "hello", 10
      `),
    });
    expect(machine.run(1000)).toEqual({ reason: "powered-off", value: 42 });
    expect(log()).toBe("hello\n");
  });

  test("enters with the address of start_info in RSI, on a stack, at level 3", () => {
    const { machine } = testMachine({
      image: tinyKernel("again: jmp again"),
      commandLine: "one two",
    });
    machine.run(10);
    const { rsi = 0n, rsp = 0n, cs, ss, cpl } = machine.inspect.registers();
    expect([cs, ss, cpl]).toEqual([0xe033n, 0xe02bn, 3n]);
    const info = machine.inspect.readMemory(rsi, 1168);
    expect(new TextDecoder().decode(info?.subarray(0, 14))).toBe("xen-3.0-x86_64");
    expect(new TextDecoder().decode(info?.subarray(128, 136))).toBe("one two\0");
    expect(new DataView(info?.buffer ?? new ArrayBuffer(0)).getBigUint64(32, true)).toBe(4096n);
    expect(machine.inspect.readMemory(rsp - 8n, 8)).toBeDefined();
  });

  test("gives -ENOSYS for a hypercall that does not exist", () => {
    const { machine } = testMachine({
      image: tinyKernel(`
        mov eax, 39
        syscall
        mov ebx, eax
        neg ebx
        ${shutDown}
      `),
    });
    expect(machine.run(1000)).toEqual({ reason: "powered-off", value: 38 });
  });

  test("crashes a guest that faults without a handler", () => {
    const { machine } = testMachine({ image: tinyKernel("ud2") });
    expect(machine.run(1000)).toEqual({
      reason: "crashed",
      why: "The guest has no handler for its exception 6.",
    });
  });
});
