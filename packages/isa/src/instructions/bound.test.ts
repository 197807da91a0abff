import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, KernelBench } from "../testing/kernel-bench.ts";

const SELECT_BOUNDS = `mov ebx, ${ADDRESS.data}\n`;

// Intel SDM Vol. 2A, "BOUND—Check Array Index Against Bounds".
describe("BOUND", () => {
  coversEncodings("bound");

  function bench(): KernelBench {
    const made = new KernelBench();
    // -5 to 10, as doublewords and as words.
    made.memory.physical.writeU32(ADDRESS.data, 0xffff_fffb);
    made.memory.physical.writeU32(ADDRESS.data + 4, 10);
    made.memory.physical.writeU16(ADDRESS.data + 8, 0xfffb);
    made.memory.physical.writeU16(ADDRESS.data + 10, 10);
    return made;
  }

  test.each([-5, 0, 10])("lets %i pass", (index) => {
    const text = `mov eax, ${index}\nbound eax, [ebx]\nbound ax, [ebx + 8]\nhlt`;
    expect(bench().run(SELECT_BOUNDS + text, { mode: 32 }).kind).toBe("halted");
  });

  test.each([
    ["eax, [ebx]", -6],
    ["eax, [ebx]", 11],
    ["ax, [ebx + 8]", -6],
    ["ax, [ebx + 8]", 11],
  ])("bound %s raises #BR for %i, at the instruction", (operands, index) => {
    const text = `mov eax, ${index}\nbound ${operands}\nhlt`;
    const { vector, frame } = arrived(bench().run(SELECT_BOUNDS + text, { mode: 32 }));
    expect(vector).toBe(5);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 10));
  });
});
