/** Devices programmed at random, as a hostile guest would: the machine keeps its limits, and answers in range. */
import { assemble, HostMemory } from "@ringside/isa";
import { expect, test } from "vitest";
import { enterKernel, loadKernel } from "./loaders/kernel.ts";
import { Machine } from "./machine.ts";
import type { AccessBytes } from "./ports.ts";

const memoryBytes = 2 << 20;
const steps = 2000;
const ports = [
  0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71, 0x80, 0xe9, 0x3f8,
  0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x1234, 0xffff,
];

/** xorshift32. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Loops with interrupts off, so that nothing but the limit can end a run. */
function spinningMachine(): Machine {
  const memory = HostMemory.create({ physicalBytes: memoryBytes, codeCacheBytes: 1 << 20 });
  const { bytes } = assemble("again:\n inc rax\n jmp again", { address: 0x10_0000n });
  const machine = new Machine({ memory, memoryBytes, epochSeconds: 0 });
  const kernel = { image: bytes, format: "flat", commandLine: "" } as const;
  machine.reset();
  enterKernel(machine.processor.state, loadKernel(memory.physical, memoryBytes, kernel));
  return machine;
}

/** What went wrong in one step, or undefined. */
function step(machine: Machine, random: (below: number) => number): string | undefined {
  const size = ([1, 2, 4] as const)[random(3)] ?? 4;
  const value = random(2) === 0 ? random(256) : random(0x1_0000_0000);
  const port = ports[random(ports.length)] ?? 0;
  const register = random(64) * 16 + random(2) * random(16);
  const { apic } = machine.interrupts;
  const checkRead = (read: number, bytes: AccessBytes): string | undefined =>
    read >>> 0 < 2 ** (8 * bytes) ? undefined : `${read} was read with ${bytes} bytes`;

  switch (random(5)) {
    case 0:
      machine.ports.write(port, size, value);
      return undefined;
    case 1:
      return checkRead(machine.ports.read(port, size), size);
    case 2:
      apic.write(register, size, value);
      return undefined;
    case 3:
      return checkRead(apic.read(register, size), size);
    default: {
      machine.send(new Uint8Array(random(40)));
      const before = machine.units;
      const limit = 1 + random(1000);
      const { reason } = machine.run(limit);
      const spent = machine.units - before;
      return reason === "limit" && spent === limit
        ? undefined
        : `run(${limit}) came back with ${reason} after ${spent}`;
    }
  }
}

test.each([1, 2, 3, 4, 5])("random programming with the seed %i breaks nothing", (seed) => {
  const random = randomNumbers(seed * 0x9e37_79b1);
  const machine = spinningMachine();
  const problems = Array.from({ length: steps }, () => step(machine, random));
  expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
});
