/** One instruction, or a program, on the processor underneath, as vectors have it. */
import {
  initialByte,
  type Patch,
  type PlannedEncoding,
  type VectorInput,
  type VectorResult,
} from "@ringside/isa/testing";
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
  if (!encoding.key.startsWith("pushf") || fault !== undefined) return resultOf(seen, fault);
  return resultOf({ ...seen, changes: withoutTrapFlag(seen, input) }, fault);
}

/** What PUSHF changed, but for TF, which the step needs and PUSHF shows. */
function withoutTrapFlag(seen: Observation, input: VectorInput): readonly Patch[] {
  const second = Number(seen.registers.general[4]) + 1;
  const clear = (byte: number): number => byte & ~(TRAP_FLAG >> 8);
  const before = byteBefore(input, second);
  let isFound = false;
  const changes = seen.changes.flatMap(({ linear, bytes }) => {
    const at = second - linear;
    if (at < 0 || at >= bytes.length) return [{ linear, bytes }];
    isFound = true;
    const cleared = bytes.with(at, clear(bytes[at] ?? 0));
    // At the end of what changed, it may be as it was.
    const end = at === bytes.length - 1 && cleared[at] === before ? at : bytes.length;
    return end === 0 ? [] : [{ linear, bytes: cleared.subarray(0, end) }];
  });
  // A byte that held what PUSHF wrote with TF would have changed without.
  if (isFound || before === clear(before)) return changes;
  const added = { linear: second, bytes: Uint8Array.of(clear(before)) };
  return [...changes, added].toSorted((a, b) => a.linear - b.linear);
}

function byteBefore({ memory }: VectorInput, linear: number): number {
  const patch = memory.findLast(
    (one) => linear >= one.linear && linear < one.linear + one.bytes.length,
  );
  return patch === undefined ? initialByte(linear) : (patch.bytes[linear - patch.linear] ?? 0);
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
