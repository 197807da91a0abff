/**
 * Names of registers as assembly text has them.
 *
 * The disassembler prints them and the assembler reads them.
 */
import type { OperandKind } from "../semantics.ts";

const LOW_BYTES = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
/** Numbers 16 to 19. */
const HIGH_BYTES = ["ah", "ch", "dh", "bh"];
const WORDS = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
/** Segment registers in the order of their encoding. */
export const SEGMENT_NAMES: readonly string[] = ["es", "cs", "ss", "ds", "fs", "gs"];

/** Name of a general register: `al`, `ah` (16), `r8d`, `rsp`. */
export function generalRegisterName(number: number, bits: number): string {
  if (number >= 16) return HIGH_BYTES[number - 16] ?? `r${number}`;
  if (number >= 8)
    return `r${number}${bits === 8 ? "b" : bits === 16 ? "w" : bits === 32 ? "d" : ""}`;
  if (bits === 8) return LOW_BYTES[number] ?? "";
  const word = WORDS[number] ?? "";
  return bits === 16 ? word : bits === 32 ? `e${word}` : `r${word}`;
}

/** Name of a register of any kind. */
export function registerName(kind: OperandKind, number: number, bits: number): string {
  switch (kind) {
    case "segment":
      return SEGMENT_NAMES[number] ?? `segment${number}`;
    case "control":
      return `cr${number}`;
    case "debug":
      return `dr${number}`;
    case "xmm":
      return `xmm${number}`;
    case "mmx":
      return `mm${number}`;
    case "x87":
      return `st(${number})`;
    default:
      return generalRegisterName(number, bits);
  }
}

/** A register with its kind, as an operand of an assembled instruction. */
export interface NamedRegister {
  readonly kind: OperandKind;
  /** General registers 0 to 15; AH, CH, DH, BH are 16 to 19. */
  readonly number: number;
  readonly bits: number;
}

/** Every register by its name. `st` is `st(0)`. */
export const registersByName: ReadonlyMap<string, NamedRegister> = nameRegisters();

function nameRegisters(): Map<string, NamedRegister> {
  const names = new Map<string, NamedRegister>();
  const add = (kind: OperandKind, number: number, bits: number): void => {
    names.set(registerName(kind, number, bits), { kind, number, bits });
  };
  for (let number = 0; number < 16; number++) {
    for (const bits of [8, 16, 32, 64]) add("register", number, bits);
    add("xmm", number, 128);
    if (number < 4) add("register", 16 + number, 8);
    if (number < 6) add("segment", number, 16);
    if (number < 9) add("control", number, 64);
    if (number < 8) {
      add("debug", number, 64);
      add("mmx", number, 64);
      add("x87", number, 80);
    }
  }
  names.set("st", { kind: "x87", number: 0, bits: 80 });
  return names;
}
