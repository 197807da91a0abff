import { assemble, defaultProfile, processorProfiles } from "@ringside/isa";
import { Host } from "@ringside/strategy";
import { expect, test } from "vitest";
import { bare } from "./index.ts";

const memoryBytes = 4 << 20;
const popcntBit = 1n << 23n;

test.each([...processorProfiles.values()])("a guest's CPUID is that of $id", (processor) => {
  const { bytes: image } = assemble("mov eax, 1\n cpuid\n cli\n hlt", { address: 0x10_0000n });
  const guest = { kind: "kernel", image, format: "flat", commandLine: "", memoryBytes } as const;
  using machine = bare.create(Host.create({ memoryBytes }), guest, { processor });
  expect(machine.run(100)).toEqual({ reason: "halted", value: undefined });
  const { rcx = 0n } = machine.inspect.registers();
  expect((rcx & popcntBit) !== 0n).toBe(processor.features.has("popcnt"));
});

test("the default processor counts bits, and the oldest does not", () => {
  expect(defaultProfile.features.has("popcnt")).toBe(true);
  expect(processorProfiles.get("x86-64-v1")?.features.has("popcnt")).toBe(false);
});

// Intel SDM Vol. 3A §12.11, "Memory Type Range Registers (MTRRs)".
test("memory is write-back by the range registers of a processor that has them", () => {
  const processor = processorProfiles.get("x86-64-v2-system") ?? defaultProfile;
  const { bytes: image } = assemble("mov ecx, 0x2ff\n rdmsr\n cli\n hlt", { address: 0x10_0000n });
  const guest = { kind: "kernel", image, format: "flat", commandLine: "", memoryBytes } as const;
  using machine = bare.create(Host.create({ memoryBytes }), guest, { processor });
  for (const boot of [1, 2]) {
    expect(machine.run(100)).toEqual({ reason: "halted", value: undefined });
    expect({ boot, ...machine.inspect.registers() }).toMatchObject({ boot, rax: 0x806n, rdx: 0n });
    machine.reset();
  }
});
