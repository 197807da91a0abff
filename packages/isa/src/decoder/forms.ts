/**
 * From patterns to forms: one for each combination of what a handler must know.
 *
 * Names are made of the row and the combination alone, so they stay the same when other rows come and go.
 */
import type { Width } from "../semantics.ts";
import type { CodeMode, Form, FormOperand, OperandSource, Repeat } from "./decoded.ts";
import type { Pattern, PlacedOperand } from "./pattern.ts";

/** What a form fixes beyond its pattern. */
export interface FormKey {
  readonly mode: CodeMode;
  /** Whether `r/m` is memory; false for patterns without ModRM. */
  readonly memory: boolean;
  /** Address size of `addressSized` rows and `moffs`; else that of the mode. */
  readonly addressWidth: 16 | 32 | 64;
  readonly repeat: Repeat;
}

/** All forms of a pattern in one mode, in a fixed order. */
export function enumerateFormKeys(pattern: Pattern, mode: CodeMode): readonly FormKey[] {
  if (!existsIn(pattern, mode)) return [];
  const keys: FormKey[] = [];
  for (const memory of memoryChoices(pattern)) {
    for (const addressWidth of addressWidths(pattern, mode)) {
      for (const repeat of repeats(pattern)) keys.push({ mode, memory, addressWidth, repeat });
    }
  }
  return keys;
}

/** Whether code of this mode can hold the pattern at all. */
export function existsIn(pattern: Pattern, mode: CodeMode): boolean {
  const { modes } = pattern.encoding;
  if (mode === 64) return modes !== "legacy" && pattern.addressSize !== 16;
  return (
    modes !== "64" && pattern.operandSize !== 64 && pattern.addressSize !== 64 && !pattern.rexR
  );
}

function memoryChoices(pattern: Pattern): readonly boolean[] {
  // Without an operand in r/m the bytes of ModRM say nothing more.
  if (!pattern.operands.some((operand) => operand.place === "rm")) return [false];
  if (pattern.rm === "both") return [false, true];
  return [pattern.rm === "memory"];
}

function addressWidths(pattern: Pattern, mode: CodeMode): readonly (16 | 32 | 64)[] {
  if (pattern.instruction.addressSized !== true) return [mode];
  const both: readonly (16 | 32 | 64)[] =
    mode === 64 ? [64, 32] : mode === 32 ? [32, 16] : [16, 32];
  return pattern.addressSize === undefined
    ? both
    : both.filter((width) => width === pattern.addressSize);
}

function repeats(pattern: Pattern): readonly Repeat[] {
  const { repeatable } = pattern.instruction;
  if (repeatable === undefined) return ["none"];
  return repeatable === "rep" ? ["none", "rep"] : ["none", "repe", "repne"];
}

/** Makes a form. */
export function makeForm(pattern: Pattern, key: FormKey, id: number): Form {
  const operands = pattern.operands.map((operand, index) =>
    makeOperand(operand, key.memory, index),
  );
  return {
    id,
    name: formName(pattern, key),
    instruction: pattern.instruction,
    mnemonic: pattern.mnemonic,
    encoding: pattern.encoding,
    mode: key.mode,
    operandSize: pattern.operandSize,
    width: operationWidth(pattern, operands, key.mode),
    addressWidth: key.addressWidth,
    repeat: key.repeat,
    operands,
    hasMemory: operands.some((operand) => operand.source === "memory"),
  };
}

function formName(pattern: Pattern, key: FormKey): string {
  const marks: string[] = [pattern.encoding.opcode.replaceAll(/\s+/gu, " ")];
  const hasRm = pattern.operands.some((operand) => operand.place === "rm");
  if (hasRm && pattern.rm === "both") marks.push(key.memory ? "memory" : "register");
  if (key.repeat !== "none") marks.push(key.repeat);
  if (key.addressWidth !== key.mode) marks.push(`a${key.addressWidth}`);
  if (key.mode !== 64) marks.push(`${key.mode}-bit code`);
  const names = pattern.operands.map((operand) => operand.pattern.text);
  const text = names.length === 0 ? pattern.mnemonic : `${pattern.mnemonic} ${names.join(", ")}`;
  return `${text} [${marks.join(", ")}]`;
}

function makeOperand(operand: PlacedOperand, memory: boolean, index: number): FormOperand {
  const { pattern, access, place } = operand;
  const base = { access, index, value: 0 };
  if (place === "rm") {
    if (memory)
      return { ...base, kind: "memory", bits: pattern.memory?.bits ?? 0, source: "memory" };
    return {
      ...base,
      kind: pattern.register?.kind ?? "register",
      bits: pattern.register?.bits ?? 0,
      source: "rm",
    };
  }
  if (place === "moffs")
    return { ...base, kind: "memory", bits: pattern.moffs?.bits ?? 0, source: "memory" };
  if (place === "implicit-memory") {
    return { ...base, kind: "memory", bits: pattern.memory?.bits ?? 0, source: "implicit-memory" };
  }
  if (pattern.register !== undefined) {
    const { kind, bits, fixed } = pattern.register;
    return { ...base, kind, bits, source: registerSource(operand), value: fixed ?? 0 };
  }
  if (pattern.constant !== undefined) {
    return { ...base, kind: "constant", bits: 8, source: "fixed", value: pattern.constant };
  }
  if (pattern.farPointer !== undefined) {
    return {
      ...base,
      kind: "far-pointer",
      bits: pattern.farPointer.offsetBits + 16,
      source: "far-pointer",
    };
  }
  if (pattern.relative !== undefined) {
    return { ...base, kind: "relative", bits: pattern.relative.bits, source: "relative" };
  }
  const source: OperandSource = place === "immediate2" ? "immediate2" : "immediate";
  return { ...base, kind: "immediate", bits: pattern.immediate?.bits ?? 0, source };
}

function registerSource(operand: PlacedOperand): OperandSource {
  const { place } = operand;
  return place === "reg" || place === "rm" || place === "opcode" ? place : "fixed";
}

function operationWidth(pattern: Pattern, operands: readonly FormOperand[], mode: CodeMode): Width {
  for (const { kind, bits } of operands) {
    const counts =
      kind === "register" || kind === "memory" || kind === "control" || kind === "debug";
    if (counts && isWidth(bits)) return bits;
  }
  return pattern.operandSize ?? mode;
}

function isWidth(bits: number): bits is Width {
  return bits === 8 || bits === 16 || bits === 32 || bits === 64;
}
