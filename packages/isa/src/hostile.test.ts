/**
 * Guests that do anything: random bytes among privileged instructions, at every level, with damaged tables.
 *
 * Whatever they do is architectural. The host must survive it, come back in time, and be able to run the next guest.
 */
import { describe, expect, test } from "vitest";
import { ADDRESS, halted, KernelBench, SELECTOR } from "./testing/kernel-bench.ts";

const ROUNDS = 60;
const LIMIT = 1500;
/** Opcodes that reach for the machine; random bytes follow them. */
const OPCODES: readonly (readonly number[])[] = [
  [0x0f, 0x00],
  [0x0f, 0x01],
  [0x0f, 0x05],
  [0x0f, 0x07],
  [0x0f, 0x20],
  [0x0f, 0x22],
  [0x0f, 0x23],
  [0x0f, 0x30],
  [0x0f, 0x32],
  [0x0f, 0x34],
  [0x0f, 0x35],
  [0x0f, 0xb2],
  [0x48, 0xcf],
  [0x6c],
  [0x6e],
  [0x8e],
  [0x9a],
  [0x9d],
  [0xcb],
  [0xcd, 0x80],
  [0xcf],
  [0xe4],
  [0xe6],
  [0xea],
  [0xf3, 0x6c],
  [0xfb],
  [0xff, 0x1c],
  [0xff, 0x2c],
];
const TABLES = [
  ADDRESS.gdt,
  ADDRESS.idt,
  ADDRESS.tss,
  ADDRESS.pageTable,
  ADDRESS.directory,
  ADDRESS.pml4,
];
const WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

/** Xorshift: the same guests in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Handlers step over one byte of what faulted, so that guests go on. */
function installHandlers(bench: KernelBench): void {
  const step = "add qword ptr [rsp], 1\niretq";
  const [plain, withCode] = [bench.handler(0, step), bench.handler(1, `add rsp, 8\n${step}`)];
  for (let vector = 0; vector < 256; vector += 1) {
    bench.setGate(vector, WITH_ERROR_CODE.has(vector) ? withCode : plain, {
      dpl: vector > 100 ? 3 : 0,
    });
  }
}

function writeGuest(bench: KernelBench, below: (limit: number) => number): void {
  const { physical } = bench.memory;
  for (let at = 0; at < 600; at += 1) {
    const byte = below(256);
    // Not HLT: guests are to go on.
    physical.writeU8(ADDRESS.code + at, byte === 0xf4 ? 0x90 : byte);
  }
  for (let count = 0; count < 80; count += 1) {
    physical.write(ADDRESS.code + below(590), new Uint8Array(OPCODES[below(OPCODES.length)] ?? []));
  }
  for (let count = below(6); count > 0; count -= 1) {
    physical.writeU8((TABLES[below(TABLES.length)] ?? 0) + below(0x200), below(256));
  }
}

function setRegisters(bench: KernelBench, below: (limit: number) => number): void {
  const word = (): bigint => BigInt(below(0x1_0000_0000));
  const values = [
    word,
    () => BigInt(ADDRESS.data + below(4096)),
    () => (word() << 32n) | word(),
    () => BigInt(below(64)),
  ];
  for (let number = 0; number < 16; number += 1)
    bench.state.setRegister(number, values[below(4)]?.() ?? 0n);
  bench.state.rsp = BigInt(ADDRESS.kernelStack);
}

describe("A hostile guest", () => {
  test.each([1, 77, 12345])(
    "of the family %i ends in the documented way, and the host lives on",
    (family) => {
      const bench = new KernelBench();
      installHandlers(bench);
      const clean = bench.memory.physical.read(0, 0x9_0000);
      const below = random(family);
      for (let round = 0; round < ROUNDS; round += 1) {
        bench.memory.physical.write(0, clean);
        writeGuest(bench, below);
        bench.enter({ cpl: ([0, 3, 1] as const)[below(3)] ?? 0, mode: below(4) === 0 ? 32 : 64 });
        setRegisters(bench, below);
        bench.processor.delivery = below(10) === 0 ? "monitor" : "architectural";
        for (let slice = 0; slice < 4; slice += 1) {
          if (below(3) === 0) bench.processor.requestNmi();
          if (below(3) === 0) bench.processor.setInterruptRequest(true);
          const { units } = bench.processor;
          const { reason } = bench.processor.run(LIMIT);
          const spent = bench.processor.units - units;
          expect({ family, round, reason, isInTime: spent <= LIMIT }).toEqual({
            family,
            round,
            reason: expect.stringMatching(/^(limit|halted|shutdown|event)$/u) as string,
            isInTime: true,
          });
          if (reason === "shutdown") break;
        }
      }
      bench.memory.physical.write(0, clean);
      bench.processor.delivery = "architectural";
      halted(bench.run("mov eax, 42\nhlt"));
      expect([bench.state.rax, bench.state.segment("cs").selector]).toEqual([42n, SELECTOR.code]);
    },
  );
});
