/** One instruction, or a program, on the processor underneath, as vectors have it. */
import type { PlannedEncoding, VectorInput, VectorResult } from "@ringside/isa/testing";
import { exceptionOf, SI_KERNEL, SIGTRAP, type Exception } from "./exception.ts";
import type { HarnessProcess, Observation } from "./harness-process.ts";
import { encodingAt, type Program } from "./program.ts";

/** CF, PF, AF, ZF, SF, IF, DF, OF, NT, AC and ID: what a program can see change. TF and RF are the recorder's. */
const VISIBLE_FLAGS = 0x24_4ed7n;
const TRAP_FLAG = 0x100;
/** ES of FSW. */
const EXCEPTION_SUMMARY = 0x80;

export async function observe(
  encoding: PlannedEncoding,
  input: VectorInput,
  harness: HarnessProcess,
): Promise<VectorResult> {
  const seen = await harness.step(input);
  const fault = faultOf(seen, encoding);
  if (encoding.key.startsWith("pushf")) {
    // The step needs TF, and PUSHF shows it.
    const second = Number(seen.registers.general[4]) + 1;
    for (const { linear, bytes } of seen.changes) {
      const at = second - linear;
      if (at >= 0 && at < bytes.length) bytes[at] = (bytes[at] ?? 0) & ~(TRAP_FLAG >> 8);
    }
  }
  return resultOf(seen, fault);
}

/** A program, until the INT3 behind it or an exception. */
export async function observeProgram(
  program: Program,
  harness: HarnessProcess,
): Promise<VectorResult> {
  const seen = await harness.run(program.input);
  const ended = seen.signal === SIGTRAP && seen.code === SI_KERNEL;
  return resultOf(seen, ended ? undefined : faultOf(seen, encodingAt(program, seen.rip)));
}

function faultOf(seen: Observation, encoding: PlannedEncoding | undefined): Exception | undefined {
  const signalled = exceptionOf(
    seen.signal,
    seen.code,
    seen.address,
    encoding !== undefined && tellsPendingX87(encoding, seen),
  );
  // Linux gives #BR the signal of a general fault, which BOUND does not raise in flat segments.
  const isBound = signalled?.vector === 13 && encoding?.key.startsWith("bound ") === true;
  return isBound ? { vector: 5, linear: undefined } : signalled;
}

/**
 * Whether an instruction's SIGFPE is #MF: always for x87 and FWAIT, and for MMX with an exception pending, which comes first.
 * Intel SDM Vol. 3A §13.5.1, "Effect of MMX Instructions on Pending x87 Floating-Point Exceptions".
 */
function tellsPendingX87({ area, key }: PlannedEncoding, { registers }: Observation): boolean {
  const isPending = (registers.statusWord & EXCEPTION_SUMMARY) !== 0;
  return area === "x87" || key.startsWith("fwait ") || (isPending && /\bmm\d?\b|^emms /u.test(key));
}

function resultOf(seen: Observation, fault: Exception | undefined): VectorResult {
  const registers = { ...seen.registers, flags: (seen.registers.flags & VISIBLE_FLAGS) | 2n };
  return { rip: seen.rip, registers, memory: seen.changes, fault };
}
