import { describe, expect, test } from "vitest";
import { assemble } from "../assembler/assemble.ts";
import { HostMemory } from "../memory/host-memory.ts";
import { Processor } from "../processor.ts";
import { coversEncodings } from "../testing.ts";

const CODE = 0x1000;

/** Runs text in flat 32-bit code to its HLT, and gives the marks that it passed. */
function marksOf(text: string): number[] {
  const marks: number[] = [];
  const memory = HostMemory.create({ physicalBytes: 0x10_0000 });
  const processor = new Processor({
    memory,
    ports: { read: () => 0, write: () => undefined },
    interrupts: {
      acknowledge: () => 0,
      readTaskPriority: () => 0,
      writeTaskPriority: () => undefined,
    },
    onMark: (id) => void marks.push(id),
  });
  memory.physical.write(CODE, assemble(text, { mode: 32, address: BigInt(CODE) }).bytes);
  processor.state.enterProtectedMode32({ rip: CODE });
  expect(processor.run(100)).toEqual({ reason: "halted" });
  return marks;
}

describe("The mark", () => {
  coversEncodings("ringside.mark");

  test("tells its number each time that it is passed", () => {
    const text = "mov ecx, 2\nagain: ringside.mark 0x1234\nloop again\nringside.mark 0xffff\nhlt";
    expect(marksOf(text)).toEqual([0x1234, 0x1234, 0xffff]);
  });

  test.each([
    ["with another tag", "db 0x0f, 0x1f, 0x84, 0x00, 0x34, 0x12, 0x49, 0x53"],
    ["with a prefix", "db 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x34, 0x12, 0x49, 0x52"],
    ["with another register", "db 0x0f, 0x1f, 0x84, 0x08, 0x34, 0x12, 0x49, 0x52"],
  ])("is a plain NOP %s", (_, bytes) => {
    expect(marksOf(`${bytes}\nhlt`)).toEqual([]);
  });
});
