/**
 * Decoder, assembler and disassembler against iced-x86, over random instructions.
 *
 * Samples are made from the rows (random prefixes, ModRM, SIB, displacement, immediate) and of random bytes alone.
 * Instructions that iced-x86 knows and the table does not are counted, not compared; one that is decoded once must be
 * decoded always.
 */
import {
  Code,
  Decoder as IcedDecoder,
  DecoderOptions,
  type Instruction as IcedInstruction,
  MemorySize,
  MemorySizeExt,
  Mnemonic,
  OpKind,
  Register,
} from "iced-x86";
import { describe, expect, test } from "vitest";
import { assemblerFor } from "../assembler/assembler.ts";
import { disassemblerFor } from "../disassembler/disassembler.ts";
import { instructions } from "../instructions/index.ts";
import { isDecodeFault, type CodeMode, type Decoded, type DecodeFault } from "./decoded.ts";
import { decoderFor } from "./decoder.ts";
import { registerName, SEGMENT_NAMES } from "./register-names.ts";

const SAMPLES = 60_000;
const SEED = 0x5eed;
const decoder = decoderFor(instructions);

/** F3 0F BC, F3 0F BD and F3 0F 09 are BSF, BSR and WBINVD on a processor without BMI1, LZCNT and WBNOINVD, as ours is. */
const OPTIONS = DecoderOptions.NoMPFX_0FBC | DecoderOptions.NoMPFX_0FBD | DecoderOptions.NoWbnoinvd;

/** Hints newer than the processor, which are reserved NOPs to it. */
const NEWER_HINTS = new Set([
  "Prefetchit0_m8",
  "Prefetchit1_m8",
  "Cldemote_m8",
  "Rdsspd_r32",
  "Rdsspq_r64",
]);
/** Of these only 16 bits of a register count; iced-x86 shows it at the operand size. */
const WORDS = /^(?:arpl|lldt|ltr|verr|verw|lmsw|pinsrw)$/u;
/** Operands of instructions that touch none: their sizes are nobody's business. */
const UNUSED_OPERANDS = /^(?:reservednop|ud0|ud1)$/u;
/** Rows without operands, as the manual also writes them; iced-x86 lists the registers that they imply. */
const IMPLIED_OPERANDS = /^(?:scas|lods|stos|xlat|ins|outs)[bwdq]$/u;

describe.each([64, 32, 16] as const)("Instructions of %i-bit code", (mode) => {
  test("decode as in iced-x86: validity, length, mnemonic, operands, LOCK", () => {
    const differences = new Map<string, string>();
    const seen = new Map<string, Set<boolean>>();
    let compared = 0;
    for (const bytes of samples(mode)) {
      const ours = decoder.decode(bytes, 0, bytes.length, { mode });
      withIced(bytes, mode, (theirs) => {
        const code = Code[theirs.code] ?? "";
        const valid = !isDecodeFault(ours);
        if (NEWER_HINTS.has(code) || hasNoSuchRegister(theirs) || isXchgWithRep(bytes, ours))
          return;
        if (theirs.isInvalid) {
          if (valid) differences.set(`${ours.form.name} is invalid`, hex(bytes));
          return;
        }
        seen.set(code, (seen.get(code) ?? new Set()).add(valid));
        if (!valid) {
          if (ours.fault !== "UD") differences.set(`${code} gives ${ours.fault}`, hex(bytes));
          return;
        }
        compared += 1;
        const difference = compare(ours, theirs, mode);
        if (difference !== "")
          differences.set(`${ours.form.name} as ${code}`, `${difference}  ${hex(bytes)}`);
      });
    }
    const partly = [...seen].filter(([, valid]) => valid.size === 2).map(([code]) => code);
    expect([...differences], `seed ${SEED}`).toEqual([]);
    expect(partly, `decoded in some samples only, seed ${SEED}`).toEqual([]);
    expect(compared).toBeGreaterThan(SAMPLES / 2);
  });

  test("disassemble to text that assembles to the same instruction", () => {
    const assembler = assemblerFor(instructions);
    const disassembler = disassemblerFor(decoder);
    const differences = new Map<string, string>();
    for (const bytes of samples(mode)) {
      const ours = decoder.decode(bytes, 0, bytes.length, { mode });
      if (
        isDecodeFault(ours) ||
        isXchgWithRep(bytes, ours) ||
        UNUSED_OPERANDS.test(ours.form.mnemonic)
      )
        continue;
      // Without superfluous prefixes a short branch begins elsewhere and may not reach.
      if (ours.relative < -100n || ours.relative > 100n) continue;
      const text = disassembler.format(ours, ADDRESS[mode]);
      if (differences.has(ours.form.name)) continue;
      try {
        const again = assembler.assemble(text, { mode, address: ADDRESS[mode] }).bytes;
        const problem = withIced(bytes, mode, (first) =>
          withIced(again, mode, (second) => sameMeaning(first, second, mode)),
        );
        if (problem !== "")
          differences.set(ours.form.name, `${text}: ${problem}; ${hex(bytes)} to ${hex(again)}`);
      } catch (error) {
        differences.set(ours.form.name, `${text}: ${String(error)}`);
      }
    }
    expect([...differences], `seed ${SEED}`).toEqual([]);
  });
});

test("Every form can be reached by decoding", () => {
  const reached = new Set<string>();
  for (const mode of [64, 32, 16] as const) {
    for (const bytes of formSamples(mode)) {
      const decoded = decoder.decode(bytes, 0, bytes.length, { mode });
      if (!isDecodeFault(decoded)) reached.add(decoded.form.name);
    }
  }
  expect(decoder.forms.map(({ name }) => name).filter((name) => !reached.has(name))).toEqual([]);
});

/** Where samples lie: far enough up that truncated targets show. */
const ADDRESS = { 16: 0x1234n, 32: 0x1234_5678n, 64: 0x1234_5678_1234_5678n };

function withIced<T>(
  bytes: Uint8Array,
  mode: CodeMode,
  use: (instruction: IcedInstruction) => T,
): T {
  const iced = new IcedDecoder(mode, bytes.subarray(0, 15), OPTIONS);
  iced.ip = ADDRESS[mode];
  const instruction = iced.decode();
  try {
    return use(instruction);
  } finally {
    instruction.free();
    iced.free();
  }
}

function compare(ours: Decoded, theirs: IcedInstruction, mode: CodeMode): string {
  const { mnemonic } = ours.form;
  if (ours.lengthBytes !== theirs.length) return `length ${ours.lengthBytes}, not ${theirs.length}`;
  if (ours.lock !== theirs.hasLockPrefix) return "LOCK";
  const theirMnemonic = (Mnemonic[theirs.mnemonic] ?? "").toLowerCase().replace(/^wait$/u, "fwait");
  if (mnemonic !== theirMnemonic && mnemonic !== "ringside.mark")
    return `${mnemonic}, not ${theirMnemonic}`;
  if (
    UNUSED_OPERANDS.test(mnemonic) ||
    IMPLIED_OPERANDS.test(mnemonic) ||
    mnemonic === "ringside.mark"
  )
    return "";
  const sized = (operand: string): string => (WORDS.test(mnemonic) ? asWord(operand) : operand);
  const left = ourOperands(ours, mode).map(sized).join(" | ");
  const right = icedOperands(theirs, mode).map(sized);
  // The manual's FXCH and FCOM name one operand; ST(0) is understood.
  const understood =
    mnemonic.startsWith("f") && right[0] === "st(0)" && left === right.slice(1).join(" | ");
  // It also names the XMM0 of variable blends.
  const same =
    understood ||
    (/^p?blendv/u.test(mnemonic) && left === [...right, "xmm0"].join(" | ")) ||
    left === right.join(" | ") ||
    (mnemonic === "xchg" && left === right.toReversed().join(" | "));
  return same ? "" : `${left}, not ${right.join(" | ")}`;
}

/** F3 41 90 is XCHG EAX, R8D to processors (seen on an EPYC 9004) and PAUSE to iced-x86. */
function isXchgWithRep(bytes: Uint8Array, ours: Decoded | DecodeFault): boolean {
  return (
    !isDecodeFault(ours) && ours.form.mnemonic === "xchg" && bytes[ours.lengthBytes - 1] === 0x90
  );
}

/** CR1, CR5 to CR7, CR9 to CR15 and DR8 to DR15 do not exist: #UD. To iced-x86 they are registers like others. */
function hasNoSuchRegister(instruction: IcedInstruction): boolean {
  if (instruction.opCount !== 2) return false;
  const names = [0, 1].map((index) => icedRegister(instruction.opRegister(index)));
  return names.some((name) => /^(?:cr(?:[15-79]|1\d)|dr(?:[89]|1\d))$/u.test(name));
}

/** Whether two encodings are one instruction with the same operands. */
function sameMeaning(first: IcedInstruction, second: IcedInstruction, mode: CodeMode): string {
  const left = icedOperands(first, mode);
  const right = icedOperands(second, mode);
  const isShort = mode === 32 && first.opCount === 1 && first.opKind(0) === OpKind.NearBranch16;
  const shown = (operands: readonly string[], from: IcedInstruction): string => {
    // Operand size truncates immediates, and in 32-bit code targets, whichever way they are encoded.
    const isWord = WORDS.test((Mnemonic[from.mnemonic] ?? "").toLowerCase());
    const sized = operands.map((operand) =>
      isShort ? operand.slice(0, 3) + operand.slice(-4) : isWord ? asWord(operand) : operand,
    );
    return `${Mnemonic[from.mnemonic]} ${sized.join(" | ")}${from.hasLockPrefix ? " lock" : ""}`;
  };
  const wanted = shown(left, first);
  if (first.mnemonic === Mnemonic.Xchg && wanted === shown(right.toReversed(), second)) return "";
  const got = shown(right, second);
  return wanted === got ? "" : `${wanted}, not ${got}`;
}

function ourOperands(decoded: Decoded, mode: CodeMode): string[] {
  const end = ADDRESS[mode] + BigInt(decoded.lengthBytes);
  return decoded.form.operands.flatMap((operand) => {
    switch (operand.source) {
      case "reg":
      case "rm":
      case "opcode":
        return [registerName(operand.kind, decoded.registers[operand.index] ?? 0, operand.bits)];
      case "fixed":
        return operand.kind === "constant"
          ? [number(BigInt(operand.value))]
          : [registerName(operand.kind, operand.value, operand.bits)];
      case "memory":
        return [ourMemory(decoded, operand.bits, end, mode)];
      case "immediate":
        return [
          number(
            BigInt.asUintN(decoded.form.width === 8 ? 64 : decoded.form.width, decoded.immediate),
          ),
        ];
      case "immediate2":
        return [number(BigInt(decoded.immediate2))];
      case "far-pointer":
        return [`far ${number(BigInt(decoded.immediate2))}:${number(decoded.immediate)}`];
      case "relative": {
        const bits = mode === 64 ? 64 : (decoded.form.operandSize ?? mode);
        return [`to ${number(BigInt.asUintN(bits, end + decoded.relative))}`];
      }
      case "implicit-memory":
        return [];
    }
  });
}

function ourMemory(decoded: Decoded, bits: number, end: bigint, mode: CodeMode): string {
  const { memory } = decoded;
  if (memory === undefined) return "no memory";
  const { base, index, scaleShift, addressWidth, segment } = memory;
  const baseName =
    base === -2
      ? addressWidth === 64
        ? "rip"
        : "eip"
      : base < 0
        ? ""
        : registerName("register", base, addressWidth);
  const indexName =
    index < 0 ? "" : `${registerName("register", index, addressWidth)}*${1 << scaleShift}`;
  const displacement = BigInt.asUintN(
    addressWidth,
    base === -2 ? end + memory.displacement : memory.displacement,
  );
  const segmentName = mode === 64 && segment < 4 ? "" : (SEGMENT_NAMES[segment] ?? "");
  return `${bits} at ${segmentName}:${baseName}+${indexName}+${number(displacement)}`;
}

/** Operands in a normal form. Immediates are those of the operation: sign-extended, then cut to its size. */
function icedOperands(instruction: IcedInstruction, mode: CodeMode): string[] {
  return Array.from({ length: instruction.opCount }).flatMap((_, index) => {
    const kind = instruction.opKind(index);
    switch (kind) {
      case OpKind.Register:
        return [icedRegister(instruction.opRegister(index))];
      case OpKind.NearBranch16:
      case OpKind.NearBranch32:
      case OpKind.NearBranch64:
        return [`to ${number(instruction.nearBranchTarget)}`];
      case OpKind.FarBranch16:
      case OpKind.FarBranch32: {
        const offset =
          kind === OpKind.FarBranch16 ? instruction.farBranch16 : instruction.farBranch32;
        return [`far ${number(BigInt(instruction.farBranchSelector))}:${number(BigInt(offset))}`];
      }
      case OpKind.Memory:
        return [icedMemory(instruction, mode)];
      default:
        return isStringOperand(kind)
          ? []
          : [number(BigInt.asUintN(immediateBits(kind), instruction.immediate(index)))];
    }
  });
}

function immediateBits(kind: OpKind): number {
  if (kind === OpKind.Immediate8to16 || kind === OpKind.Immediate16) return 16;
  return kind === OpKind.Immediate8to32 || kind === OpKind.Immediate32 ? 32 : 64;
}

function isStringOperand(kind: OpKind): boolean {
  return (OpKind[kind] ?? "").startsWith("Memory");
}

/** Registers at 16 bits: `dx` for `edx` and `rdx`, `r9w` for `r9`. */
function asWord(operand: string): string {
  return operand.replace(/^[er]([a-ds][xpi])$/u, "$1").replace(/^(r\d+)d?$/u, "$1w");
}

function icedMemory(instruction: IcedInstruction, mode: CodeMode): string {
  const segment = icedRegister(instruction.memorySegment);
  const segmentName = mode === 64 && segment !== "fs" && segment !== "gs" ? "" : segment;
  const base = icedRegister(instruction.memoryBase);
  const index = icedRegister(instruction.memoryIndex);
  const indexName = index === "" ? "" : `${index}*${instruction.memoryIndexScale}`;
  const bits = memoryBits(instruction.memorySize);
  return `${bits} at ${segmentName}:${base}+${indexName}+${number(instruction.memoryDisplacement)}`;
}

/** Images of register files and descriptor pointers have no operand size here. */
function memoryBits(size: MemorySize): number {
  return /^(?:Fxsave|Fpu|Xsave|Unknown)/u.test(MemorySize[size] ?? "")
    ? 0
    : MemorySizeExt.size(size) * 8;
}

function icedRegister(register: Register): string {
  if (register === Register.None) return "";
  const name = (Register[register] ?? "").toLowerCase();
  return name.replace(/^st(\d)$/u, "st($1)").replace(/^(r\d+)l$/u, "$1b");
}

function number(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Numbers of 32 bits, the same for the same seed (Mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

const PREFIXES = [
  0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x40, 0x41, 0x42, 0x44, 0x48,
  0x4f,
];

/** The bytes that each row spells out. */
const OPCODES = instructions.flatMap(({ encodings }) =>
  encodings.map(({ opcode }) =>
    (opcode.match(/\b[\dA-F]{2}\b/gu) ?? []).map((byte) => Number.parseInt(byte, 16)),
  ),
);

function* samples(mode: CodeMode): Generator<Uint8Array> {
  const random = randomNumbers(SEED + mode);
  for (let count = 0; count < SAMPLES; count++) {
    const bytes = Uint8Array.from({ length: 15 }, () => random() & 0xff);
    // One in five is random bytes alone.
    if (random() % 5 > 0) {
      const prefixes = Array.from(
        { length: random() % 4 },
        () => PREFIXES[random() % PREFIXES.length] ?? 0,
      );
      bytes.set([...prefixes, ...(OPCODES[random() % OPCODES.length] ?? [])]);
    }
    yield bytes;
  }
}

/** For each row all prefixes that choose a form, and all ModRM bytes that differ in mod or reg. */
function* formSamples(mode: CodeMode): Generator<Uint8Array> {
  const choices = [
    [],
    [0x66],
    [0x67],
    [0xf2],
    [0xf3],
    [0x66, 0xf2],
    [0x66, 0xf3],
    [0x67, 0xf2],
    [0x67, 0xf3],
    [0x67, 0x66],
    [0x67, 0x66, 0xf2],
    [0x67, 0x66, 0xf3],
  ];
  const rexes = mode === 64 ? [[], [0x48]] : [[]];
  for (const { encodings } of instructions) {
    for (const { opcode } of encodings) {
      // Opcodes with a register get register 1: register 0 of 90 is NOP.
      const tokens = opcode.match(/\b[\dA-F]{2}\b(?: ?\+r)?|\biw(?= [\dA-F])/gu) ?? [];
      const spelled = tokens.flatMap((token) =>
        token === "iw" ? [0, 0] : [Number.parseInt(token, 16) + (token.endsWith("r") ? 1 : 0)],
      );
      const mandatory = [0x66, 0xf2, 0xf3].includes(spelled[0] ?? 0) ? spelled.slice(0, 1) : [];
      const rest = [...spelled.slice(mandatory.length), ...(/\/[\dr]/u.test(opcode) ? [-1] : [])];
      for (const prefixes of choices) {
        for (const rex of rexes) yield* withModRm([...prefixes, ...mandatory, ...rex, ...rest]);
      }
    }
  }
}

function* withModRm(bytes: readonly number[]): Generator<Uint8Array> {
  const sample = new Uint8Array(15);
  sample.set(bytes.filter((byte) => byte >= 0));
  if (bytes.at(-1) !== -1) {
    yield sample;
    return;
  }
  for (let digit = 0; digit < 8; digit++) {
    for (const mod of [0, 0xc0]) {
      sample[bytes.length - 1] = mod | (digit << 3);
      yield sample;
    }
  }
}
