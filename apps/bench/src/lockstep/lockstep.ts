/**
 * Executes the same instructions here and in QEMU, one at a time, and compares all registers after each.
 *
 * QEMU has no devices. What an instruction gets from outside of processor and memory (a port, a device's register, the
 * time, CPUID) is copied to it, and so is the delivery of an external interrupt; both are counted.
 */
import { decode, isDecodeFault, type CodeMode, type Decoded } from "@ringside/isa";
import {
  countAt,
  isFinal,
  type Debugger,
  type Exit,
  type Registers,
  type VirtualMachine,
} from "@ringside/strategy";
import {
  differences,
  valuesOf,
  type Difference,
  type Undefined,
  type Values,
} from "./compared-registers.ts";
import type { Qemu } from "./qemu.ts";

/** Instructions whose results come from outside, or depend on which processor it is. */
const outside: ReadonlySet<string> = new Set([
  ...["in", "ins", "rdtsc", "rdtscp", "rdpmc", "cpuid", "rdmsr", "wrmsr", "rdrand", "rdseed"],
]);

/** Instructions that QEMU computes to fewer bits than a processor does, which Intel documents as approximate. */
const approximate: ReadonlySet<string> = new Set([
  ...["f2xm1", "fcos", "fpatan", "fptan", "fsin", "fsincos", "fyl2x", "fyl2xp1"],
  ...["rcpps", "rcpss", "rsqrtps", "rsqrtss"],
]);

const flagBits: Readonly<Record<string, bigint>> = {
  CF: 0x1n,
  PF: 0x4n,
  AF: 0x10n,
  ZF: 0x40n,
  SF: 0x80n,
  OF: 0x800n,
};

const instructionBytes = 15;
/** What the delivery of an event or a string instruction may have written, at RSP or RDI. */
const frameBytes = 64;
const recentMaximum = 8;

export interface LockstepProgress {
  readonly compared: number;
  /** Results from outside that were copied to QEMU. */
  readonly copied: number;
  readonly interrupts: number;
}

export type LockstepResult = LockstepProgress &
  (
    | { readonly outcome: "same" }
    /** The guest ended before enough was compared. */
    | { readonly outcome: "ended"; readonly exit: Exit }
    | {
        readonly outcome: "different";
        readonly differing: readonly Difference[];
        readonly ours: Values;
        readonly theirs: Values;
        /** The last instructions, the one with the difference at the end. */
        readonly recent: readonly ExecutedInstruction[];
      }
  );

export interface ExecutedInstruction {
  readonly rip: bigint;
  readonly bytes: Uint8Array;
  readonly mode: CodeMode;
}

interface Before {
  readonly registers: Registers;
  readonly instruction: ExecutedInstruction;
  readonly decoded: Decoded | undefined;
}

/** @param onProgress Called now and then. */
export async function lockstep(
  machine: VirtualMachine,
  debug: Debugger,
  qemu: Qemu,
  count: number,
  onProgress: (progress: LockstepProgress) => void,
): Promise<LockstepResult> {
  const { client } = qemu;
  const progress = { compared: 0, copied: 0, interrupts: 0 };
  const recent: ExecutedInstruction[] = [];
  let theirs = await client.registers();
  let counted = tally(machine);
  while (progress.compared < count) {
    const before = lookAt(machine, debug);
    const exit = machine.run(1);
    const now = tally(machine);
    const isInterrupted = now.interrupts > counted.interrupts;
    const isIdle =
      !isInterrupted &&
      now.instructions === counted.instructions &&
      now.exceptions === counted.exceptions;
    counted = now;
    if (isFinal(exit)) return { ...progress, outcome: "ended", exit };
    if (isIdle) continue;
    const registers = debug.registers();
    const ours = valuesOf(registers);
    const isHalt = before.decoded?.form.mnemonic === "hlt" && !isInterrupted;
    if (isInterrupted || isHalt) {
      if (isInterrupted) progress.interrupts += 1;
      theirs = await copyTo(qemu, machine, ours, theirs, registers, before);
      continue;
    }
    recent.push(before.instruction);
    if (recent.length > recentMaximum) recent.shift();
    await client.step();
    theirs = await client.registers();
    progress.compared += 1;
    const differing = differences(ours, theirs, undefinedBits(before.decoded));
    if (differing.length > 0 && !isFromOutside(machine, before))
      return { ...progress, outcome: "different", differing, ours, theirs, recent };
    if (differing.length > 0) progress.copied += 1;
    if (differences(ours, theirs).length > 0)
      theirs = await copyTo(qemu, machine, ours, theirs, registers, before);
    if (progress.compared % 1000 === 0) onProgress(progress);
  }
  return { ...progress, outcome: "same" };
}

interface Tally {
  readonly instructions: number;
  readonly interrupts: number;
  readonly exceptions: number;
}

function tally(machine: VirtualMachine): Tally {
  const counts = machine.counts();
  return {
    instructions: counts.instructions,
    interrupts: countAt(counts, "interrupts") + countAt(counts, "nmis"),
    exceptions: countAt(counts, "exceptions"),
  };
}

/** The instruction that is executed next. */
export function instructionAt(machine: VirtualMachine, registers: Registers): ExecutedInstruction {
  const rip = registers["rip"] ?? 0n;
  const mode = codeMode(registers);
  const linear = mode === 64 ? rip : BigInt.asUintN(32, rip + (registers["cs_base"] ?? 0n));
  for (let length = instructionBytes; length > 0; length -= 1) {
    const bytes = machine.inspect.readMemory(linear, length);
    if (bytes === undefined) continue;
    const result = decode(bytes, 0, { mode });
    return { rip, bytes: isDecodeFault(result) ? bytes : bytes.slice(0, result.lengthBytes), mode };
  }
  return { rip, bytes: new Uint8Array(), mode };
}

function lookAt(machine: VirtualMachine, debug: Debugger): Before {
  const registers = debug.registers();
  const instruction = instructionAt(machine, registers);
  const result = decode(instruction.bytes, 0, { mode: instruction.mode });
  return { registers, instruction, decoded: isDecodeFault(result) ? undefined : result };
}

/** Bits of code. Intel SDM Vol. 3A §3.4.5, "Segment Descriptors": L and D/B. */
export function codeMode(registers: Registers): CodeMode {
  const attributes = registers["cs_attributes"] ?? 0n;
  if (((registers["efer"] ?? 0n) & 0x400n) !== 0n && (attributes & 0x2000n) !== 0n) return 64;
  return (attributes & 0x4000n) === 0n ? 16 : 32;
}

/** C0, C2 and C3 of the x87 status word: only comparisons and FPREM define them. */
const conditionCodes = 0x4500n;

function undefinedBits(decoded: Decoded | undefined): Undefined {
  const flags = decoded?.form.instruction.flags?.undefined ?? [];
  const bits = new Map([["eflags", flags.reduce((sum, flag) => sum | (flagBits[flag] ?? 0n), 0n)]]);
  const mnemonic = decoded?.form.mnemonic ?? "";
  if (mnemonic.startsWith("f") && !/^f(u?com|tst|xam|prem|ldcw|ldenv|rstor|xrstor)/u.test(mnemonic))
    bits.set("fstat", conditionCodes);
  return bits;
}

/** Whether the instruction asked something outside of processor and memory, or is only approximate. */
function isFromOutside(machine: VirtualMachine, { decoded, registers }: Before): boolean {
  if (decoded === undefined) return false;
  if (outside.has(decoded.form.mnemonic.replace(/[bwd]$/u, ""))) return true;
  const { mnemonic } = decoded.form;
  if (outside.has(mnemonic) || approximate.has(mnemonic)) return true;
  const { memory } = decoded;
  if (memory === undefined) return false;
  const linear = effectiveAddress(decoded, registers);
  return machine.inspect.translate(linear) === undefined;
}

const registerNames = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
];
const segmentNames = ["es", "cs", "ss", "ds", "fs", "gs"];

function effectiveAddress(decoded: Decoded, registers: Registers): bigint {
  const { memory } = decoded;
  if (memory === undefined) return 0n;
  const value = (number: number): bigint => {
    if (number === -2) return (registers["rip"] ?? 0n) + BigInt(decoded.lengthBytes);
    return number === -1 ? 0n : (registers[registerNames[number] ?? ""] ?? 0n);
  };
  const offset = BigInt.asUintN(
    memory.addressWidth,
    value(memory.base) + (value(memory.index) << BigInt(memory.scaleShift)) + memory.displacement,
  );
  const isFlat = decoded.form.mode === 64 && memory.segment < 4;
  const base = isFlat ? 0n : (registers[`${segmentNames[memory.segment]}_base`] ?? 0n);
  return BigInt.asUintN(decoded.form.mode === 64 ? 64 : 32, offset + base);
}

/** Makes QEMU's state ours again: registers that differ, and memory that an event or INS may have written. */
async function copyTo(
  { client }: Qemu,
  machine: VirtualMachine,
  ours: Values,
  theirs: Values,
  registers: Registers,
  before: Before,
): Promise<Values> {
  for (const { name, ours: value } of differences(ours, theirs)) {
    await client.writeRegister(name, value);
  }
  const places = [registers["rsp"] ?? 0n];
  if (before.decoded?.form.mnemonic.startsWith("ins") === true)
    places.push(before.registers["rdi"] ?? 0n);
  for (const linear of places) {
    const bytes = machine.inspect.readMemory(linear, frameBytes);
    if (bytes !== undefined) await client.writeMemory(linear, bytes);
  }
  return client.registers();
}
