/** The driver and the engine: units, limits, faults, code that changes, pages that end in the middle of an instruction. */
import { describe, expect, test } from "vitest";
import { assemble } from "./assembler/assemble.ts";
import { VECTOR } from "./exceptions/vectors.ts";
import { HostMemory } from "./memory/host-memory.ts";
import { Processor } from "./processor.ts";
import type { MmioRegion } from "./processor-options.ts";

const CODE = 0x1_0000;
const STACK = 0x2_0000;
const MEBIBYTES_2 = 0x20_0000;

interface Options {
  readonly cpl?: 0 | 3;
  readonly delivery?: "architectural" | "monitor";
  readonly mmio?: readonly MmioRegion[];
  readonly onMark?: (id: number) => void;
}

/** A processor with the first 16 MiB mapped to themselves, for everybody, at the start of `source`. */
function running(
  source: string,
  options: Options = {},
): { readonly cpu: Processor; readonly symbols: ReadonlyMap<string, bigint> } {
  const memory = HostMemory.create({ physicalBytes: 16 * 0x10_0000, codeCacheBytes: 0x10_0000 });
  const { physical } = memory;
  physical.writeU64(0x1000, 0x2007n);
  physical.writeU64(0x2000, 0x3007n);
  for (let page = 0; page < 8; page += 1)
    physical.writeU64(0x3000 + page * 8, BigInt(page * MEBIBYTES_2) | 0x87n);
  const { bytes, symbols } = assemble(source, { address: BigInt(CODE) });
  physical.write(CODE, bytes);
  const cpu = new Processor({
    memory,
    ports: { read: () => 0xff, write: () => undefined },
    interrupts: {
      acknowledge: () => 0x20,
      readTaskPriority: () => 0,
      writeTaskPriority: () => undefined,
    },
    delivery: options.delivery ?? "monitor",
    ...(options.mmio === undefined ? {} : { mmio: options.mmio }),
    ...(options.onMark === undefined ? {} : { onMark: options.onMark }),
  });
  cpu.state.enterLongMode({
    cpl: options.cpl ?? 3,
    cr3: 0x1000,
    rip: BigInt(CODE),
    rsp: BigInt(STACK),
  });
  return { cpu, symbols };
}

describe("units", () => {
  test("are one for each retired instruction, and the limit is exact", () => {
    const { cpu } = running("again: add rax, 1\njmp again");
    expect(cpu.run(7)).toEqual({ reason: "limit" });
    expect([cpu.units, cpu.instructions, cpu.state.rax]).toEqual([7, 7, 4n]);
    expect(cpu.counts()["instructions.ring3"]).toBe(7);
  });

  test("count each iteration of a repeated instruction, and stop between two", () => {
    const { cpu } = running("mov ecx, 10\nmov edi, 0x30000\nrep stosb\nud2");
    cpu.run(6);
    expect([cpu.state.rcx, cpu.state.rip]).toEqual([6n, BigInt(CODE + 10)]);
    expect(cpu.run(100).reason).toBe("event");
    expect(cpu.instructions).toBe(12);
  });

  test("go with counts by mnemonic of what retired, not of what faulted", () => {
    const { cpu } = running("call next\nnext: xor esp, esp\ncall next");
    expect(cpu.run(100).reason).toBe("event");
    expect([cpu.instructions, cpu.counts()["instructions.call"]]).toEqual([2, 1]);
  });

  test("are the same whether a program runs in one piece or one unit at a time", () => {
    const source =
      "mov ecx, 50\nagain: imul eax, eax, 7\nadd eax, ecx\npush rax\npop rbx\ndec ecx\njnz again\nud2";
    const whole = running(source).cpu;
    whole.run(10_000);
    const pieces = running(source).cpu;
    while (pieces.run(1).reason === "limit");
    expect(pieces.state.registers()).toEqual(whole.state.registers());
    expect(pieces.counts()).toEqual(whole.counts());
    expect(pieces.units).toBe(whole.units);
  });

  test("are the same in pieces where code goes on in the next page, and where a jump faults", () => {
    const source =
      "jmp last\nresb 4087\nlast: add rax, 1\nadd rax, 2\nadd rax, 3\nmov rcx, 0x2000000\njmp rcx";
    const whole = running(source).cpu;
    whole.run(10_000);
    const pieces = running(source).cpu;
    while (pieces.run(1).reason === "limit");
    expect(pieces.state.registers()).toEqual(whole.state.registers());
    expect(pieces.counts()).toEqual(whole.counts());
    expect(whole.state.rax).toBe(6n);
  });

  test("must be positive whole numbers", () => {
    expect(() => running("nop").cpu.run(0)).toThrow(RangeError);
  });
});

describe("monitor delivery", () => {
  test("gives a page fault with its address and error code, and RIP of the instruction", () => {
    const { cpu } = running("mov rax, [0x2000000]");
    expect(cpu.run(10)).toEqual({
      reason: "event",
      event: { kind: "exception", vector: VECTOR.PF, errorCode: 4, linear: 0x200_0000n },
    });
    expect(cpu.state.rip).toBe(BigInt(CODE));
  });

  test("gives SYSCALL with RCX and R11 written", () => {
    const { cpu } = running("syscall");
    expect(cpu.run(10)).toEqual({ reason: "event", event: { kind: "syscall" } });
    expect([cpu.state.rip, cpu.state.rcx, cpu.state.cpl]).toEqual([
      BigInt(CODE + 2),
      BigInt(CODE + 2),
      3,
    ]);
  });

  test("gives software interrupts with RIP after them", () => {
    const { cpu } = running("int 0x80");
    expect(cpu.run(10)).toEqual({
      reason: "event",
      event: { kind: "software-interrupt", vector: 0x80 },
    });
    expect(cpu.state.rip).toBe(BigInt(CODE + 2));
  });

  test("gives an external interrupt without acknowledging it", () => {
    const { cpu } = running("again: jmp again");
    cpu.setInterruptRequest(true);
    expect(cpu.run(10)).toEqual({ reason: "event", event: { kind: "interrupt" } });
  });
});

describe("code that changes", () => {
  test("executes an instruction that the one before it wrote", () => {
    // Overwrites the immediate of the MOV that follows at once.
    const { cpu, symbols } = running("mov byte ptr [rbx], 0x55\ntarget: mov al, 0x11\nud2");
    cpu.state.rbx = (symbols.get("target") ?? 0n) + 1n;
    cpu.run(10);
    expect(cpu.state.rax & 0xffn).toBe(0x55n);
  });

  test("sees a loop body rewritten in every iteration", () => {
    const { cpu, symbols } = running(
      "mov ecx, 100\nagain: mov byte ptr [rbx], cl\npatched: add eax, 0x11\ndec ecx\njnz again\nud2",
    );
    cpu.state.rbx = (symbols.get("patched") ?? 0n) + 2n;
    cpu.run(10_000);
    expect(cpu.state.rax).toBe(5050n);
  });

  test("follows writes that TypeScript makes to physical memory", () => {
    const { cpu } = running("again: add eax, 1\njmp again");
    cpu.run(10);
    cpu.memory.physical.writeU8(CODE + 2, 100);
    cpu.run(10);
    expect(cpu.state.rax).toBe(5n + 500n);
  });

  test("decodes everything again when the cache is full, and goes on", () => {
    // 1 MiB of cache holds some sixty code pages: walk over a hundred.
    const { cpu } = running("ud2");
    for (let page = 0; page < 120; page += 1) {
      cpu.memory.physical.write(
        0x10_0000 + page * 4096,
        assemble(`add eax, 1\njmp ${0x10_0000 + ((page + 1) % 120) * 4096}`, {
          address: BigInt(0x10_0000 + page * 4096),
        }).bytes,
      );
    }
    cpu.state.rip = 0x10_0000n;
    cpu.run(2400);
    expect(cpu.state.rax).toBe(1200n);
  });
});

describe("an instruction across two pages", () => {
  const end = 0x1_0ffc; // MOV EAX, imm32 begins four bytes before the end of the page.

  test("is executed, and again when its second half changes", () => {
    const { cpu } = running("ud2");
    cpu.memory.physical.write(
      end,
      assemble("mov eax, 0x11223344\njmp 0x10ffc", { address: BigInt(end) }).bytes,
    );
    cpu.state.rip = BigInt(end);
    cpu.run(4);
    expect(cpu.state.rax).toBe(0x1122_3344n);
    cpu.memory.physical.writeU8(0x1_1000, 0x99);
    cpu.run(2);
    expect(cpu.state.rax).toBe(0x9922_3344n);
  });

  test("is executed as it is when its second half is mapped elsewhere", () => {
    const { cpu } = running("nop\nnop\nud2");
    const { physical } = cpu.memory;
    const linear = 0x4_0000_0000n;
    physical.writeU64(0x2000 + 16 * 8, 0x4007n); // 16 GiB: a directory and a table of its own
    physical.writeU64(0x4000, 0x5007n);
    physical.writeU64(0x5000, 0x30_0007n);
    physical.writeU64(0x5008, 0x31_0007n);
    const { bytes } = assemble("mov eax, 0x11223344\nud2", { address: linear + 0xffcn });
    physical.write(0x30_0ffc, bytes.subarray(0, 4));
    physical.write(0x31_0000, bytes.subarray(4));
    physical.write(0x32_0000, bytes.subarray(4));
    physical.writeU8(0x32_0000, 0x99);
    for (const [frame, value] of [
      [0x31_0007n, 0x1122_3344n],
      [0x32_0007n, 0x9922_3344n],
      [0x31_0007n, 0x1122_3344n],
    ] as const) {
      physical.writeU64(0x5008, frame);
      cpu.state.rip = BigInt(CODE); // Somewhere else in between, so that other places were decoded last.
      cpu.run(2);
      cpu.flushTlb();
      cpu.state.rip = linear + 0xffcn;
      cpu.run(1);
      expect(cpu.state.rax).toBe(value);
    }
  });

  test("faults with the address of the page that is not there", () => {
    const { cpu } = running("ud2");
    const last = 0x100_0000 - 4;
    cpu.memory.physical.write(last, Uint8Array.of(0xb8, 0x44, 0x33, 0x22));
    cpu.state.rip = BigInt(last);
    expect(cpu.run(4)).toEqual({
      reason: "event",
      event: { kind: "exception", vector: VECTOR.PF, errorCode: 0x14, linear: 0x100_0000n },
    });
    expect(cpu.state.rip).toBe(BigInt(last));
  });
});

describe("memory accesses across two pages", () => {
  test("load and store all bytes", () => {
    const { cpu } = running(
      "mov [0x20ffd], rax\nmov rbx, [0x20ffd]\nadd qword ptr [0x20ffd], 1\nmov rcx, [0x20ffd]\nud2",
    );
    cpu.state.rax = 0x0102_0304_0506_07ffn;
    cpu.run(10);
    expect([cpu.state.rbx, cpu.state.rcx]).toEqual([
      0x0102_0304_0506_07ffn,
      0x0102_0304_0506_0800n,
    ]);
  });

  test("write nothing when the second page faults", () => {
    const { cpu } = running("mov [0xfffffd], rax");
    cpu.state.rax = -1n;
    expect(cpu.run(1)).toMatchObject({
      reason: "event",
      event: { vector: VECTOR.PF, linear: 0x100_0000n },
    });
    expect(cpu.memory.physical.readU8(0xff_fffd)).toBe(0);
  });
});

describe("devices", () => {
  test("answer accesses to their range, eight bytes as two of four", () => {
    const accesses: string[] = [];
    const device: MmioRegion = {
      base: 0x80_0000,
      sizeBytes: 0x1000,
      read(offset, sizeBytes) {
        accesses.push(`read ${offset} ${sizeBytes}`);
        return offset + 0x10;
      },
      write(offset, sizeBytes, value) {
        accesses.push(`write ${offset} ${sizeBytes} ${value}`);
      },
    };
    const { cpu } = running(
      "mov eax, [0x800004]\nmov [0x800008], al\nmov rbx, [0x800010]\nadd dword ptr [0x800020], 1\nud2",
      { mmio: [device] },
    );
    cpu.run(10);
    expect(accesses).toEqual([
      "read 4 4",
      "write 8 1 20",
      "read 16 4",
      "read 20 4",
      "read 32 4",
      "write 32 4 49",
    ]);
    expect(cpu.state.rbx).toBe(0x24_0000_0020n);
  });
});

describe("marks", () => {
  test("tell their number and change nothing", () => {
    const seen: number[] = [];
    const { cpu } = running("db 0x0f, 0x1f, 0x84, 0x00\ndd 0x52490003\nud2", {
      onMark: (id) => seen.push(id),
    });
    cpu.run(10);
    expect(seen).toEqual([3]);
  });
});
