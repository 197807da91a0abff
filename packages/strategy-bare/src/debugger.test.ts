/** The debugger of a bare machine, through the contract. */
import { assemble } from "@ringside/isa";
import { Host, type Debugger, type VirtualMachine } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { bare } from "./index.ts";

const memoryBytes = 4 << 20;

function booted(source: string): {
  readonly machine: VirtualMachine;
  readonly debug: Debugger;
  readonly at: (symbol: string) => bigint;
} {
  const { bytes: image, symbols } = assemble(source, { address: 0x10_0000n });
  const guest = { kind: "kernel", image, format: "flat", commandLine: "", memoryBytes } as const;
  const machine = bare.create(Host.create({ memoryBytes }), guest);
  const { debug } = machine;
  if (debug === undefined) throw new Error("A bare machine has a debugger.");
  return { machine, debug, at: (symbol) => symbols.get(symbol) ?? 0n };
}

describe("the debugger of a bare machine", () => {
  test("reads back each register that it lets be written", () => {
    const { machine, debug } = booted("nop");
    using _ = machine;
    const readOnly: string[] = [];
    for (const [index, name] of Object.keys(debug.registers()).entries()) {
      // These decide how everything else is read.
      if (/^(cr[034]|efer|fsw)$/u.test(name)) continue;
      // Small, so that it fits the narrowest, and different from its neighbours'.
      const value = name === "rflags" ? 0x246n : BigInt((index % 14) + 1);
      const before = debug.registers()[name];
      const isWritten = debug.writeRegister(name, value);
      if (!isWritten) readOnly.push(name);
      expect({ name, value: debug.registers()[name] }).toEqual({
        name,
        value: isWritten ? value : before,
      });
    }
    expect(readOnly.filter((name) => !/_(limit|attributes)$/u.test(name))).toEqual(["cpl"]);
    expect(debug.writeRegister("nonsense", 0n)).toBe(false);
  });

  test("finds the x87 stack where TOP says that it is", () => {
    const { machine, debug } = booted("fninit\n fldpi\n fld1\n stop: hlt");
    using _ = machine;
    machine.run(3);
    expect(debug.registers()["st0"]).toBe(0x3fff_8000_0000_0000_0000n);
    expect(debug.registers()["st1"]).toBe(0x4000_c90f_daa2_2168_c235n);
  });

  test("changes code that has run, and the guest executes what is there now", () => {
    const { machine, debug, at } = booted("again: mov eax, 1\n jmp again");
    using _ = machine;
    machine.run(10);
    expect(debug.writeMemory(at("again") + 1n, Uint8Array.of(7))).toBe(true);
    machine.run(10);
    expect(machine.inspect.registers()["rax"]).toBe(7n);
  });

  test("writes all of a range or nothing", () => {
    const { machine, debug } = booted("hlt");
    using _ = machine;
    const end = BigInt(memoryBytes);
    expect(debug.writeMemory(end - 2n, Uint8Array.of(1, 2, 3))).toBe(false);
    expect(machine.inspect.readMemory(end - 2n, 2)).toEqual(Uint8Array.of(0, 0));
  });

  test("pauses the machine at its stops, and says at which", () => {
    const { machine, debug, at } = booted(
      "mov [0x200000], eax\n here: nop\n mov al, 5\n out 0xf4, al\n hlt",
    );
    using _ = machine;
    const watchpoint = { linear: 0x20_0000n, lengthBytes: 4, access: "write" } as const;
    debug.setStops({ breakpoints: new Set([at("here")]), watchpoints: [watchpoint] });
    expect(machine.run(100)).toEqual({
      reason: "paused",
      hit: { kind: "watchpoint", linear: 0x20_0000n, access: "write" },
    });
    expect(machine.state).toBe("paused");
    expect(machine.run(100)).toEqual({
      reason: "paused",
      hit: { kind: "breakpoint", linear: at("here") },
    });
    expect(machine.run(100)).toEqual({ reason: "halted", value: 5 });
  });
});
