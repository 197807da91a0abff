/**
 * The text in which vectors are kept: dense enough to commit, plain enough to read and to compare.
 *
 * A line that begins with `=` names a row of the table; each line after it is a vector of it:
 *
 *     64 4801d8 rax=ff rbx=1 f=246 | rax=100 f=202
 *
 * that is the mode and the bytes, what is set before the instruction beside {@link initialRegisters}, and what was different
 * after it. `rip` is given relative to the next instruction and left out when it is that; `@2001100=0a0b` is memory;
 * `!14=20012000` is the exception, with the address of a page fault. Registers are hexadecimal, `x3` is XMM3,
 * `mx cw sw tw` are MXCSR, FCW, FSW and the tags, `s0` is ST(0).
 */
import {
  CODE_ADDRESS,
  initialRegisters,
  type Patch,
  type Registers,
  type Vector,
  type VectorInput,
  type VectorResult,
} from "./machine.ts";

const GENERAL = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"],
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
];

/** One line of text. */
export function formatVector(vector: Vector): string {
  const { input, result } = vector;
  const before = [
    `${input.mode}`,
    hexOf(input.code),
    ...formatRegisters(initialRegisters(input.mode), input.registers),
    ...input.memory.map(formatPatch),
  ];
  const next = BigInt(CODE_ADDRESS + input.code.length);
  const start = result.fault === undefined ? next : BigInt(CODE_ADDRESS);
  const after = [
    ...(result.rip === start ? [] : [`rip=${signedHex(BigInt.asIntN(64, result.rip - start))}`]),
    ...formatRegisters(input.registers, result.registers),
    ...result.memory.map(formatPatch),
    ...formatFault(result.fault),
  ];
  return [...before, "|", ...after].join(" ");
}

/**
 * Reads a line that {@link formatVector} wrote.
 *
 * @throws {SyntaxError} It is not such a line.
 */
export function parseVector(line: string): Vector {
  const [before = "", after] = line.split(" |", 2);
  if (after === undefined) throw new SyntaxError(`A vector without "|": ${line}`);
  const [size, code = "", ...settings] = before.split(" ");
  const mode = size === "32" ? 32 : 64;
  const registers = initialRegisters(mode);
  const inputMemory: Patch[] = [];
  for (const setting of settings) applySetting(setting, registers, inputMemory);
  const input: VectorInput = {
    mode,
    code: bytesOf(code),
    registers,
    memory: inputMemory,
  };
  return { input, result: parseResult(input, after.trim()) };
}

function parseResult(input: VectorInput, text: string): VectorResult {
  const registers = copyRegisters(input.registers);
  const memory: Patch[] = [];
  let fault: VectorResult["fault"];
  let offset = 0n;
  for (const setting of text === "" ? [] : text.split(" ")) {
    const [name = "", value] = setting.split("=", 2);
    if (name.startsWith("!")) {
      const linear = value === undefined ? undefined : BigInt(`0x${value}`);
      fault = { vector: Number(name.slice(1)), linear };
    } else if (name === "rip") offset = parseSigned(value ?? "");
    else applySetting(setting, registers, memory);
  }
  const start = BigInt(fault === undefined ? CODE_ADDRESS + input.code.length : CODE_ADDRESS);
  return { rip: BigInt.asUintN(64, start + offset), registers, memory, fault };
}

/** A copy that can be changed. */
export function copyRegisters(registers: Registers): Registers {
  return {
    ...registers,
    general: [...registers.general],
    xmm: [...registers.xmm],
    stack: [...registers.stack],
  };
}

/** Names and values of all registers, in the order of the text. */
export function namedRegisters(registers: Registers): readonly (readonly [string, bigint])[] {
  return [
    ...registers.general.map((value, number) => [GENERAL[number] ?? "", value] as const),
    ["f", registers.flags],
    ...registers.xmm.map((value, number) => [`x${number}`, value] as const),
    ["mx", BigInt(registers.mxcsr)],
    ["cw", BigInt(registers.controlWord)],
    ["sw", BigInt(registers.statusWord)],
    ["tw", BigInt(registers.tags)],
    ...registers.stack.map((value, number) => [`s${number}`, value] as const),
  ];
}

function formatRegisters(from: Registers, to: Registers): string[] {
  const old = namedRegisters(from);
  return namedRegisters(to).flatMap(([name, value], index) =>
    value === old[index]?.[1] ? [] : [`${name}=${value.toString(16)}`],
  );
}

function formatPatch({ linear, bytes }: Patch): string {
  return `@${linear.toString(16)}=${hexOf(bytes)}`;
}

function formatFault(fault: VectorResult["fault"]): string[] {
  if (fault === undefined) return [];
  return [
    fault.linear === undefined
      ? `!${fault.vector}`
      : `!${fault.vector}=${fault.linear.toString(16)}`,
  ];
}

function applySetting(setting: string, registers: Registers, memory: Patch[]): void {
  const [name = "", text = ""] = setting.split("=", 2);
  if (name.startsWith("@")) {
    memory.push({ linear: Number.parseInt(name.slice(1), 16), bytes: bytesOf(text) });
    return;
  }
  const value = BigInt(`0x${text}`);
  const general = GENERAL.indexOf(name);
  const index = Number(name.slice(1));
  if (general >= 0) registers.general[general] = value;
  else if (name === "f") registers.flags = value;
  else if (name === "mx") registers.mxcsr = Number(value);
  else if (name === "cw") registers.controlWord = Number(value);
  else if (name === "sw") registers.statusWord = Number(value);
  else if (name === "tw") registers.tags = Number(value);
  else if (name.startsWith("x") && index < 16) registers.xmm[index] = value;
  else if (name.startsWith("s") && index < 8) registers.stack[index] = value;
  else throw new SyntaxError(`Unknown setting "${setting}" in a vector.`);
}

function signedHex(value: bigint): string {
  return value < 0n ? `-${(-value).toString(16)}` : value.toString(16);
}

function parseSigned(text: string): bigint {
  return text.startsWith("-") ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytesOf(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[\da-f]*$/u.test(text))
    throw new SyntaxError(`"${text}" is not bytes.`);
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}
