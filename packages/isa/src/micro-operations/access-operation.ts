/** Which WebAssembly instruction loads or stores a value of some size. */
import type { ValueType } from "../semantics.ts";

export const LOADS: Readonly<Record<number, string>> = {
  1: "i64.load8_u",
  2: "i64.load16_u",
  4: "i64.load32_u",
  8: "i64.load",
};
export const STORES: Readonly<Record<number, string>> = {
  1: "i64.store8",
  2: "i64.store16",
  4: "i64.store32",
  8: "i64.store",
};

export function loadOf(bytes: number): string {
  const operation = LOADS[bytes];
  if (operation === undefined) throw new SyntaxError(`No integer load has ${bytes} bytes.`);
  return operation;
}

export function storeOf(bytes: number): string {
  const operation = STORES[bytes];
  if (operation === undefined) throw new SyntaxError(`No integer store has ${bytes} bytes.`);
  return operation;
}

export function loadAsOperation(type: ValueType, bytes: number): string {
  if (type === "i64") return loadOf(bytes);
  if (type === "i32" && bytes === 1) return "i32.load8_u";
  if (type === "i32" && bytes === 2) return "i32.load16_u";
  if (type === "v128" && bytes === 4) return "v128.load32_zero";
  if (type === "v128" && bytes === 8) return "v128.load64_zero";
  const natural = { i32: 4, f32: 4, f64: 8, v128: 16 }[type];
  if (natural !== bytes) throw new SyntaxError(`No load makes ${type} of ${bytes} bytes.`);
  return `${type}.load`;
}

export function storeAsOperation(type: ValueType, bytes: number): string {
  if (type === "i64") return storeOf(bytes);
  if (type === "i32" && bytes === 1) return "i32.store8";
  if (type === "i32" && bytes === 2) return "i32.store16";
  const natural = { i32: 4, f32: 4, f64: 8, v128: 16 }[type];
  if (natural !== bytes) throw new SyntaxError(`No store writes ${type} as ${bytes} bytes.`);
  return `${type}.store`;
}
