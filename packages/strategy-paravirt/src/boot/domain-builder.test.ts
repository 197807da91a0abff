import { frameBytes } from "@ringside/machine";
import { describe, expect, test } from "vitest";
import { PRESENT, WRITABLE } from "../paging/entry.ts";
import { brokenInvariants } from "../testing/invariants.ts";
import { testMachine, tinyKernel, virtBase, type MachineInput } from "../testing/tiny-kernel.ts";

const spins = "again: jmp again";

function started(
  input: Partial<MachineInput> = {},
  notes: readonly { type: number; value: bigint }[] = [],
): {
  readonly machine: ReturnType<typeof testMachine>["machine"];
  readonly info: (at: number) => bigint;
  readonly read: (linear: bigint, length: number) => Uint8Array;
} {
  const { machine } = testMachine({ image: tinyKernel(spins, { notes }), ...input });
  const { rsi = 0n } = machine.inspect.registers();
  const read = (linear: bigint, length: number): Uint8Array => {
    const bytes = machine.inspect.readMemory(linear, length);
    if (bytes === undefined) throw new Error(`0x${linear.toString(16)} is not mapped`);
    return bytes;
  };
  return {
    machine,
    read,
    info: (at) => new DataView(read(rsi + BigInt(at), 8).buffer).getBigUint64(0, true),
  };
}

// Xen, xen/include/public/xen.h, "Start-of-day memory layout".
describe("a new domain", () => {
  test("finds its frames in order in the list, and scrambled in the machine", () => {
    const { machine, info, read } = started();
    const { frames } = machine.domain.memory;
    const list = new BigUint64Array(read(info(104), 64).buffer);
    expect([...list]).toEqual([...frames.slice(0, 8)].map(BigInt));
    expect(frames[1]).not.toBe((frames[0] ?? 0) + 1);
  });

  test("has frames in their order where asked", () => {
    const { frames } = started({ frames: "identity" }).machine.domain.memory;
    expect([frames[1], frames[2]]).toEqual([(frames[0] ?? 0) + 1, (frames[0] ?? 0) + 2]);
  });

  test("has its page tables mapped read-only, and all else writable", () => {
    const { machine, info } = started();
    const { access, types } = machine.domain;
    const flagsAt = (linear: bigint): number => {
      const at = access.leafEntry(Number(linear & 0xffff_ffffn), Number(linear >> 32n));
      return types.readLow(at) & (PRESENT | WRITABLE);
    };
    const [tables, count] = [info(88), info(96)];
    for (let index = 0n; index < count; index += 1n) {
      expect(flagsAt(tables + index * 4096n)).toBe(PRESENT);
    }
    expect(flagsAt(tables + count * 4096n)).toBe(PRESENT | WRITABLE);
    expect(flagsAt(tables - 4096n)).toBe(PRESENT | WRITABLE);
    expect(brokenInvariants(machine.domain)).toEqual([]);
  });

  test("is mapped up to a multiple of 4 MiB, with 512 KiB behind its stack", () => {
    const { machine } = started();
    const { rsp = 0n } = machine.inspect.registers();
    const end = virtBase + 0x40_0000n;
    expect(end - rsp).toBeGreaterThanOrEqual(512n * 1024n);
    expect(machine.inspect.readMemory(end - 1n, 1)).toBeDefined();
    expect(machine.inspect.readMemory(end, 1)).toBeUndefined();
  });

  test("finds its initrd mapped, unless it takes it by frame", () => {
    const initrd = Uint8Array.from({ length: 5000 }, (_, index) => index & 0xff);
    const mapped = started({ initrd });
    expect([...mapped.read(mapped.info(112), 5000)]).toEqual([...initrd]);
    expect(mapped.info(120)).toBe(5000n);
    expect(mapped.info(48)).toBe(0n);
    const byFrame = started({ initrd }, [{ type: 16, value: 1n }]);
    expect(byFrame.info(48)).toBe(8n);
    const { domain } = byFrame.machine;
    const frame = domain.memory.frames[Number(byFrame.info(112))] ?? 0;
    expect([...domain.physical.read(frame * frameBytes, 3)]).toEqual([0, 1, 2]);
  });

  test("finds the list of its frames where it wants it", () => {
    const wanted = 0x80_0000_0000n;
    const { machine, info, read } = started({}, [{ type: 15, value: wanted }]);
    expect(info(104)).toBe(wanted);
    const { frames } = machine.domain.memory;
    const last = read(wanted + BigInt((frames.length - 1) * 8), 8);
    expect(new DataView(last.buffer).getBigUint64(0, true)).toBe(BigInt(frames.at(-1) ?? 0));
    expect(info(1160)).toBe(11n); // 8 for the list, 3 for its tables.
    expect(brokenInvariants(machine.domain)).toEqual([]);
  });

  test("finds a page of hypercalls where it wants one", () => {
    const { read } = started({}, [{ type: 2, value: virtBase + 0x18_0000n }]);
    // push rcx; push r11; mov eax, 29; syscall; pop r11; pop rcx; ret
    expect([...read(virtBase + 0x18_0000n + 29n * 32n, 13)]).toEqual([
      0x51, 0x41, 0x53, 0xb8, 29, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59,
    ]);
  });

  test("has an entry in the machine's table for each of its frames", () => {
    const { memory } = started().machine.domain;
    for (const frame of [0, 77, memory.frames.length - 1]) {
      expect(memory.physicalOf(memory.frames[frame] ?? 0)).toBe(frame);
    }
    expect(memory.physicalOf(0)).toBeUndefined();
  });
});

describe("a file that is no paravirtual kernel", () => {
  test.each([
    ["an ELF without Xen's notes", (image: Uint8Array) => image.fill(0, 176, 200)],
    ["an ELF that is cut short", (image: Uint8Array) => image.subarray(0, 150)],
    [
      "a kernel in front of its own base",
      (image: Uint8Array) => image.fill(0xff, 120 + 24, 120 + 30),
    ],
  ])("is refused: %s", (_name, change) => {
    const image = change(tinyKernel(spins).slice());
    expect(() => testMachine({ image })).toThrow(/expected/);
  });

  test("is refused when it wants the list of its frames among its own tables", () => {
    const image = tinyKernel(spins, { notes: [{ type: 15, value: 0xffff_ff80_0000_0000n }] });
    expect(() => testMachine({ image })).toThrow(/512 GiB/);
  });

  test("is refused when it does not fit", () => {
    expect(() => testMachine({ image: tinyKernel(spins), memoryBytes: 2 << 20 })).toThrow(/room/);
  });

  test("is refused with a command line that is too long", () => {
    const image = tinyKernel(spins);
    expect(() => testMachine({ image, commandLine: "x".repeat(1024) })).toThrow(/1024/);
  });
});
