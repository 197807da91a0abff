/**
 * The manual's names of operands, and what each can be.
 *
 * Intel SDM Vol. 2A §3.1.1.3, "Instruction Column in the Opcode Summary Table".
 */
import type { OperandKind } from "../semantics.ts";

/** Registers that an operand can be. */
export interface RegisterPattern {
  readonly kind: OperandKind;
  readonly bits: number;
  /** The one register that it is, where the encoding implies it. */
  readonly fixed?: number;
  /** Highest number that the operand's name includes, for control and debug registers. */
  readonly last?: number;
}

/** One operand of an encoding, before it is known where its bits are. */
export interface OperandPattern {
  readonly text: string;
  readonly register?: RegisterPattern;
  /** Size of the memory that it can be; 0 without a size. */
  readonly memory?: { readonly bits: number };
  /** `m`, `xmm2/m64` and the like need ModRM, `xmm1` and `r32` may use either of its fields. */
  readonly modrm: boolean;
  readonly immediate?: { readonly bits: number };
  readonly relative?: { readonly bits: number };
  readonly moffs?: { readonly bits: number };
  readonly farPointer?: { readonly offsetBits: number };
  readonly constant?: number;
}

const GENERAL_NAMES: readonly (readonly [number, readonly string[]])[] = [
  [8, ["al", "cl", "dl", "bl"]],
  [16, ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]],
  [32, ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"]],
  [64, ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"]],
];
const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"];

const registers = new Map<string, RegisterPattern>([
  ["r8", { kind: "register", bits: 8 }],
  ["r16", { kind: "register", bits: 16 }],
  ["r32", { kind: "register", bits: 32 }],
  ["r64", { kind: "register", bits: 64 }],
  ["reg", { kind: "register", bits: 32 }],
  ["sreg", { kind: "segment", bits: 16 }],
  ["st(i)", { kind: "x87", bits: 80 }],
  ["st(0)", { kind: "x87", bits: 80, fixed: 0 }],
  ["st", { kind: "x87", bits: 80, fixed: 0 }],
  ["<xmm0>", { kind: "xmm", bits: 128, fixed: 0 }],
]);
for (const name of ["xmm", "xmm1", "xmm2", "xmm3"]) registers.set(name, { kind: "xmm", bits: 128 });
for (const name of ["mm", "mm1", "mm2"]) registers.set(name, { kind: "mmx", bits: 64 });
for (const [bits, names] of GENERAL_NAMES) {
  for (const [fixed, name] of names.entries())
    registers.set(name, { kind: "register", bits, fixed });
}
for (const [fixed, name] of SEGMENT_NAMES.entries())
  registers.set(name, { kind: "segment", bits: 16, fixed });

/** `m`, `m8` … `m128`, `m16&64`, `m16:32`, `m32fp`, `m64int`, `m80bcd`, `m2byte`, `m512byte`. */
const MEMORY = /^m(?:em)?(?:(\d+)(?:[&:](\d+))?(fp|int|bcd|byte)?)?$/u;
/** Memory whose size depends on more than the encoding (FNSTENV, FNSAVE). */
const VARIABLE_MEMORY = /^m\d+\/\d+byte$/u;
const SYSTEM_REGISTER = /^(cr|dr)(\d+)(?:[-–](?:cr|dr)(\d+))?$/u;
const SIZED = /^(imm|rel|moffs)(8|16|32|64)$/u;
const FAR_POINTER = /^ptr16:(16|32)$/u;
const CONSTANT = /^\d+$/u;

/**
 * Reads the name of an operand.
 *
 * @returns undefined when the name is not the manual's.
 */
export function parseOperandPattern(text: string, legacy: boolean): OperandPattern | undefined {
  const name = text.toLowerCase();
  if (CONSTANT.test(name)) return { text: name, modrm: false, constant: Number(name) };
  const sized = SIZED.exec(name);
  if (sized !== null) {
    const bits = Number(sized[2]);
    if (sized[1] === "imm") return { text: name, modrm: false, immediate: { bits } };
    if (sized[1] === "rel") return { text: name, modrm: false, relative: { bits } };
    return { text: name, modrm: false, moffs: { bits } };
  }
  const far = FAR_POINTER.exec(name);
  if (far !== null) return { text: name, modrm: false, farPointer: { offsetBits: Number(far[1]) } };

  const memory = memoryBits(name);
  if (memory !== undefined) return { text: name, modrm: true, memory: { bits: memory } };
  const slash = name.indexOf("/");
  if (slash < 0) {
    const register = registers.get(name) ?? systemRegister(name, legacy);
    return register === undefined ? undefined : { text: name, modrm: false, register };
  }
  const right = name.slice(slash + 1);
  const left = name.slice(0, slash) === "r" ? `r${right.slice(1)}` : name.slice(0, slash);
  const register = registers.get(left);
  const bits = memoryBits(right);
  if (register === undefined || bits === undefined) return undefined;
  return { text: name, modrm: true, register, memory: { bits } };
}

function memoryBits(name: string): number | undefined {
  if (VARIABLE_MEMORY.test(name)) return 0;
  const match = MEMORY.exec(name);
  if (match === null) return undefined;
  const size = Number(match[1] ?? 0);
  // Images of whole register files have no operand size.
  if (match[3] === "byte") return size > 16 ? 0 : size * 8;
  return size + Number(match[2] ?? 0);
}

function systemRegister(name: string, legacy: boolean): RegisterPattern | undefined {
  const match = SYSTEM_REGISTER.exec(name);
  if (match === null) return undefined;
  const kind = match[1] === "cr" ? "control" : "debug";
  const bits = legacy ? 32 : 64;
  if (match[3] === undefined) return { kind, bits, fixed: Number(match[2]) };
  return { kind, bits, last: Number(match[3]) };
}
