/** Stops that a debugger asks for, which the guest does not see. */
import { describe, expect, test } from "vitest";
import { assemble } from "../assembler/assemble.ts";
import { HostMemory } from "../memory/host-memory.ts";
import { Processor } from "../processor.ts";

const CODE = 0x1_0000n;
const DATA = 0x3_0000n;
const MEBIBYTES_2 = 0x20_0000;

/** A processor with the first 16 MiB mapped to themselves and, once more, from 1 GiB on. */
function running(source: string): {
  readonly cpu: Processor;
  readonly at: (symbol: string) => bigint;
} {
  const memory = HostMemory.create({ physicalBytes: 16 * 0x10_0000, codeCacheBytes: 0x10_0000 });
  const { physical } = memory;
  physical.writeU64(0x1000, 0x2007n);
  physical.writeU64(0x2000, 0x3007n);
  physical.writeU64(0x2008, 0x3007n);
  for (let page = 0; page < 8; page += 1)
    physical.writeU64(0x3000 + page * 8, BigInt(page * MEBIBYTES_2) | 0x87n);
  const { bytes, symbols } = assemble(source, { address: CODE });
  physical.write(Number(CODE), bytes);
  const cpu = new Processor({
    memory,
    ports: { read: () => 0xff, write: () => undefined },
    interrupts: {
      acknowledge: () => 0x20,
      readTaskPriority: () => 0,
      writeTaskPriority: () => undefined,
    },
    delivery: "monitor",
  });
  cpu.state.enterLongMode({ cpl: 3, cr3: 0x1000, rip: CODE, rsp: 0x2_0000n });
  return { cpu, at: (symbol) => symbols.get(symbol) ?? 0n };
}

const LOOP = "mov ecx, 3\nagain: add rax, 5\ninside: dec ecx\njnz again\nover: ud2";

describe("breakpoints", () => {
  test("stop before the instruction, each time that control gets there", () => {
    const { cpu, at } = running(LOOP);
    const inside = at("inside");
    cpu.breakpoints = new Set([inside]);
    for (const rax of [5n, 10n, 15n]) {
      expect(cpu.run(1000)).toEqual({
        reason: "stopped",
        hit: { kind: "breakpoint", linear: inside },
      });
      expect([cpu.state.rip, cpu.state.rax]).toEqual([inside, rax]);
    }
    expect(cpu.run(1000).reason).toBe("event");
    expect(cpu.state.rip).toBe(at("over"));
  });

  test("use no units and change no counts", () => {
    const plain = running(LOOP);
    plain.cpu.run(1000);
    const { cpu, at } = running(LOOP);
    cpu.breakpoints = new Set([at("again"), at("inside")]);
    let stops = 0;
    while (cpu.run(1000).reason === "stopped") stops += 1;
    expect(stops).toBe(6);
    expect(cpu.units).toBe(plain.cpu.units);
    expect(cpu.counts()).toEqual(plain.cpu.counts());
    expect(cpu.state.registers()).toEqual(plain.cpu.state.registers());
  });

  test("are met wherever a run's limit falls", () => {
    const { cpu, at } = running(LOOP);
    cpu.breakpoints = new Set([at("inside")]);
    const stops: number[] = [];
    for (let run = 0; run < 14; run += 1)
      if (cpu.run(1).reason === "stopped") stops.push(cpu.units);
    expect(stops).toEqual([2, 5, 8]);
  });

  test("can be set in code that has run, and taken away again", () => {
    const { cpu, at } = running("again: add rax, 1\nhere: jmp again");
    cpu.run(100);
    cpu.breakpoints = new Set([at("here")]);
    expect(cpu.run(100).reason).toBe("stopped");
    cpu.breakpoints = new Set();
    expect(cpu.run(100).reason).toBe("limit");
  });

  test("are linear: the same code by another address passes", () => {
    const { cpu, at } = running("add rax, 1\nhere: add rax, 2\nud2");
    cpu.breakpoints = new Set([at("here") + 0x4000_0000n]);
    expect(cpu.run(100).reason).toBe("event");
    cpu.state.rip = CODE + 0x4000_0000n;
    expect(cpu.run(100)).toMatchObject({ hit: { linear: at("here") + 0x4000_0000n } });
  });

  test("survive that the code is overwritten", () => {
    const { cpu, at } = running("inc byte ptr [rip + here + 1]\nhere: mov al, 7\nud2");
    cpu.breakpoints = new Set([at("here")]);
    expect(cpu.run(100).reason).toBe("stopped");
    expect(cpu.state.rip).toBe(at("here"));
    expect(cpu.run(1).reason).toBe("limit");
    expect(cpu.state.rax & 0xffn).toBe(8n);
  });

  test("stop before bytes that are no instruction, and before one that straddles pages", () => {
    const { cpu, at } = running(
      "jmp last\nresb 4085\nlast: mov rax, 0x1122334455667788\nbad: db 0x0f, 0xff",
    );
    cpu.breakpoints = new Set([at("last"), at("bad")]);
    expect(cpu.run(100)).toMatchObject({ hit: { linear: at("last") } });
    expect(cpu.run(100)).toMatchObject({ hit: { linear: at("bad") } });
    expect(cpu.state.rax).toBe(0x1122_3344_5566_7788n);
    expect(cpu.run(100)).toMatchObject({ reason: "event", event: { vector: 6 } });
  });
});

describe("watchpoints", () => {
  const SOURCE = `
    mov rbx, ${DATA}
    mov al, [rbx + 8]
  loaded: mov [rbx + 4], eax
  stored: mov qword ptr [rbx + 1], 0
  wide: add dword ptr [rbx + 12], 1
  added: ud2`;

  test.each([
    ["write", 4, ["stored", "wide"]],
    ["read", 8, ["loaded"]],
    ["access", 8, ["loaded", "wide"]],
    ["access", 12, ["added"]],
    ["write", 15, ["added"]],
    ["write", 16, []],
  ] as const)("for %s at +%d stop behind the access", (access, offset, symbols) => {
    const { cpu, at } = running(SOURCE);
    cpu.run(1);
    cpu.watchpoints = [{ linear: DATA + BigInt(offset), lengthBytes: 1, access }];
    const stops: bigint[] = [];
    for (let exit = cpu.run(100); exit.reason === "stopped"; exit = cpu.run(100)) {
      expect(exit.hit).toEqual({ kind: "watchpoint", linear: DATA + BigInt(offset), access });
      stops.push(cpu.state.rip);
    }
    expect(stops).toEqual(symbols.map(at));
  });

  test("see each part of an access that crosses pages", () => {
    const { cpu } = running("mov qword ptr [0x30ffc], rax\nud2");
    cpu.watchpoints = [{ linear: 0x3_1000n, lengthBytes: 2, access: "write" }];
    expect(cpu.run(100)).toEqual({
      reason: "stopped",
      hit: { kind: "watchpoint", linear: 0x3_1000n, access: "write" },
    });
  });

  test("leave what the guest does as it is", () => {
    const plain = running(SOURCE).cpu;
    plain.run(100);
    const { cpu } = running(SOURCE);
    cpu.watchpoints = [{ linear: DATA, lengthBytes: 64, access: "access" }];
    while (cpu.run(100).reason === "stopped");
    expect(cpu.units).toBe(plain.units);
    expect(cpu.memory.physical.read(Number(DATA), 64)).toEqual(
      plain.memory.physical.read(Number(DATA), 64),
    );
  });
});
