/** One instruction on the processor underneath, as vectors have it. */
import type { PlannedEncoding, VectorInput, VectorResult } from "@ringside/isa/testing";
import { exceptionOf } from "./exception.ts";
import type { HarnessProcess } from "./harness-process.ts";

/** CF, PF, AF, ZF, SF, IF, DF, OF, NT, AC and ID: what a program can see change. TF and RF are the recorder's. */
const VISIBLE_FLAGS = 0x24_4ed7n;
const TRAP_FLAG = 0x100;

export async function observe(
  encoding: PlannedEncoding,
  input: VectorInput,
  harness: HarnessProcess,
): Promise<VectorResult> {
  const seen = await harness.step(input);
  const signalled = exceptionOf(seen.signal, seen.code, seen.address, encoding.area === "x87");
  // Linux gives #BR the signal of a general fault, which BOUND does not raise in flat segments.
  const isBound = signalled?.vector === 13 && encoding.key.startsWith("bound ");
  const fault = isBound ? { vector: 5, linear: undefined } : signalled;
  const registers = { ...seen.registers, flags: (seen.registers.flags & VISIBLE_FLAGS) | 2n };
  if (encoding.key.startsWith("pushf")) {
    // The step needs TF, and PUSHF shows it.
    const second = Number(registers.general[4]) + 1;
    for (const { linear, bytes } of seen.changes) {
      const at = second - linear;
      if (at >= 0 && at < bytes.length) bytes[at] = (bytes[at] ?? 0) & ~(TRAP_FLAG >> 8);
    }
  }
  return { rip: seen.rip, registers, memory: seen.changes, fault };
}
