/**
 * From opcode bytes and prefixes to a form, in a few array accesses.
 *
 * An opcode has 256 cells, one for each ModRM byte (one without ModRM); equal cells are shared. In a cell the form is
 * found by what else can choose between encodings: prefixes, REX bits and mode, packed into a small number. Each of these is worked
 * out when it is first met.
 */
import type { Instruction } from "../dsl.ts";
import type { CodeMode, Form, Repeat } from "./decoded.ts";
import { enumerateFormKeys, existsIn, makeForm } from "./forms.ts";
import { parsePattern, type Pattern } from "./pattern.ts";

/** The bits of a variant number: everything but opcode and ModRM that chooses between encodings. */
export const VARIANT_REP = 1;
export const VARIANT_REPNE = 2;
export const VARIANT_OPERAND_SIZE = 4;
export const VARIANT_ADDRESS_SIZE = 8;
export const VARIANT_REX_W = 16;
export const VARIANT_REX_R = 32;
export const VARIANT_REX_B = 64;
/** Code modes 16, 32 and 64 as 0, 1 and 2. */
export const VARIANT_MODE_SHIFT = 7;
const VARIANTS = 3 << VARIANT_MODE_SHIFT;

/** A form that an opcode can be, with what decoding needs of its pattern. */
export interface Choice {
  readonly form: Form;
  readonly pattern: Pattern;
  /** What the bytes are when the literal bytes of the pattern's tail are not there. */
  readonly otherwise: Choice | undefined;
}

interface Cell {
  /** Best first. */
  readonly patterns: readonly Pattern[];
  readonly memory: boolean;
  /** By variant number; null when no pattern matches. */
  readonly choices: (Choice | null | undefined)[];
}

/** All encodings of one opcode byte in one map. */
export interface OpcodeEntry {
  readonly hasModRm: boolean;
  readonly patterns: readonly Pattern[];
  readonly cells: (Cell | undefined)[];
}

/** Opcode entries by map and byte, and all forms. */
export interface OpcodeTable {
  readonly patterns: readonly Pattern[];
  readonly entries: readonly (OpcodeEntry | undefined)[];
  readonly forms: readonly Form[];
  /** The choice for an opcode, or null when there is no such instruction. */
  choose(entry: OpcodeEntry, modRm: number, variant: number): Choice | null;
}

/**
 * Builds the table of some instructions.
 *
 * @throws {SyntaxError} A row is malformed, or two rows mean the same bytes.
 */
export function buildOpcodeTable(instructions: readonly Instruction[]): OpcodeTable {
  const patterns = instructions.flatMap((instruction) =>
    instruction.encodings.map((encoding) => parsePattern(instruction, encoding)),
  );
  const entries = buildEntries(patterns);
  const forms: Form[] = [];
  const formsByKey = new Map<string, Form>();
  const keyOf = (
    pattern: Pattern,
    mode: CodeMode,
    memory: boolean,
    addressWidth: number,
    repeat: Repeat,
  ): string =>
    `${patternNumbers.get(pattern) ?? -1} ${mode} ${memory ? "m" : "r"} ${addressWidth} ${repeat}`;
  const patternNumbers = new Map(patterns.map((pattern, index) => [pattern, index]));
  const addForms = (pattern: Pattern, mode: CodeMode): void => {
    for (const key of enumerateFormKeys(pattern, mode)) {
      const form = makeForm(pattern, key, forms.length);
      forms.push(form);
      formsByKey.set(keyOf(pattern, mode, key.memory, key.addressWidth, key.repeat), form);
    }
  };
  for (const pattern of patterns) for (const mode of [64, 32] as const) addForms(pattern, mode);
  for (const pattern of patterns) addForms(pattern, 16);

  const resolve = (cell: Cell, variant: number): Choice | null => {
    let choice: Choice | undefined;
    // From the least to the most special, so that each knows what comes after it.
    for (const pattern of cell.patterns.toReversed()) {
      if (!matches(pattern, variant)) continue;
      const mode = modeOf(variant);
      const memory =
        cell.memory &&
        pattern.rm !== "either-as-register" &&
        pattern.operands.some((operand) => operand.place === "rm");
      const width = pattern.instruction.addressSized === true ? addressWidthOf(variant) : mode;
      const form = formsByKey.get(keyOf(pattern, mode, memory, width, repeatOf(pattern, variant)));
      if (form === undefined) continue;
      const conditional = pattern.tail.some((tail) => tail.kind === "literal");
      choice = { form, pattern, otherwise: conditional ? choice : undefined };
    }
    return choice ?? null;
  };

  return {
    patterns,
    entries,
    forms,
    choose(entry, modRm, variant) {
      const at = entry.hasModRm ? modRm : 0;
      const cell = (entry.cells[at] ??= makeCell(entry, at));
      const known = cell.choices[variant];
      if (known !== undefined) return known;
      const choice = resolve(cell, variant);
      cell.choices[variant] = choice;
      return choice;
    },
  };
}

function buildEntries(patterns: readonly Pattern[]): readonly (OpcodeEntry | undefined)[] {
  const byOpcode: Pattern[][] = Array.from({ length: 4 * 256 }, () => []);
  for (const pattern of patterns) {
    const bytes = pattern.registerInOpcode ? 8 : 1;
    for (let low = 0; low < bytes; low++)
      byOpcode[pattern.map * 256 + pattern.opcode + low]?.push(pattern);
  }
  return byOpcode.map((group) => {
    if (group.length === 0) return undefined;
    const hasModRm = group.some((pattern) => pattern.modRm.kind !== "none");
    const odd = group.find((pattern) => (pattern.modRm.kind !== "none") !== hasModRm);
    if (odd !== undefined)
      throw collision("An opcode with and without ModRM", odd, group[0] ?? odd);
    refuseCollisions(group);
    return { hasModRm, patterns: group, cells: [] };
  });
}

/** Makes a cell, or finds the one that an earlier ModRM byte with the same patterns has. */
function makeCell(entry: OpcodeEntry, modRm: number): Cell {
  const memory = entry.hasModRm && modRm < 0xc0;
  const patterns = entry.patterns
    .filter((pattern) => matchesModRm(pattern, modRm))
    .toSorted((left, right) => rank(right) - rank(left));
  for (const cell of entry.cells) {
    if (cell === undefined || cell.memory !== memory || cell.patterns.length !== patterns.length)
      continue;
    if (cell.patterns.every((pattern, index) => pattern === patterns[index])) return cell;
  }
  return { patterns, memory, choices: Array.from<Choice | null | undefined>({ length: VARIANTS }) };
}

function matchesModRm(pattern: Pattern, modRm: number): boolean {
  const { modRm: wanted } = pattern;
  if (wanted.kind === "none") return true;
  if (wanted.kind === "byte") {
    return pattern.registerInModRm
      ? (modRm & 0xf8) === (wanted.byte & 0xf8)
      : modRm === wanted.byte;
  }
  if (wanted.kind === "digit" && ((modRm >> 3) & 7) !== wanted.digit) return false;
  const memory = modRm < 0xc0;
  return (
    pattern.rm === "both" ||
    pattern.rm === "either-as-register" ||
    memory === (pattern.rm === "memory")
  );
}

/** Specialized patterns go first; two of one rank must not match the same bytes. */
function rank(pattern: Pattern): number {
  let value = 0;
  if (pattern.mandatory !== "any") value += 64;
  if (pattern.modRm.kind === "byte") value += pattern.registerInModRm ? 16 : 32;
  if (pattern.tail.some((tail) => tail.kind === "literal")) value += 8;
  if (!pattern.registerInOpcode) value += 4;
  if (pattern.rexR) value += 2;
  if (pattern.operandSize !== undefined || pattern.addressSize !== undefined) value += 1;
  return value;
}

function refuseCollisions(group: readonly Pattern[]): void {
  for (const [index, left] of group.entries()) {
    for (const right of group.slice(index + 1)) {
      if (
        rank(left) === rank(right) &&
        modRmOverlaps(left, right) &&
        variantsOverlap(left, right)
      ) {
        throw collision("Two rows have the same encoding", left, right);
      }
    }
  }
}

function modRmOverlaps(left: Pattern, right: Pattern): boolean {
  for (let modRm = 0; modRm < 256; modRm++) {
    if (matchesModRm(left, modRm) && matchesModRm(right, modRm)) return true;
  }
  return false;
}

function variantsOverlap(left: Pattern, right: Pattern): boolean {
  for (let variant = 1 << VARIANT_MODE_SHIFT; variant < VARIANTS; variant++) {
    if (matches(left, variant) && matches(right, variant)) return true;
  }
  return false;
}

function collision(problem: string, left: Pattern, right: Pattern): SyntaxError {
  const quote = ({ encoding }: Pattern): string => `"${encoding.opcode} | ${encoding.instruction}"`;
  return new SyntaxError(`${problem}: ${quote(left)} and ${quote(right)}.`);
}

/** Whether prefixes and mode are the pattern's. */
function matches(pattern: Pattern, variant: number): boolean {
  const mode = modeOf(variant);
  if (!existsIn(pattern, mode)) return false;
  const has66 = (variant & VARIANT_OPERAND_SIZE) !== 0;
  const rexW = (variant & VARIANT_REX_W) !== 0;
  if (pattern.mandatory !== "any" && pattern.mandatory !== mandatoryOf(variant)) return false;
  if (pattern.addressSize !== undefined && pattern.addressSize !== addressWidthOf(variant))
    return false;
  if (pattern.rexR && (variant & VARIANT_REX_R) === 0) return false;
  // 90 with REX.B is XCHG with R8.
  if (
    pattern.map === 0 &&
    pattern.opcode === 0x90 &&
    !pattern.registerInOpcode &&
    (variant & VARIANT_REX_B) !== 0
  ) {
    return false;
  }
  const operandSize = effectiveSize(pattern, mode, has66);
  switch (pattern.operandSize) {
    case undefined:
      return true;
    case 64:
      return mode === 64 && (rexW || (!pattern.rexW && operandSize !== 16));
    default:
      return !rexW && operandSize === pattern.operandSize;
  }
}

/** The operand size without REX.W. A row that forbids the prefix means by `o32` only that REX.W is absent. */
function effectiveSize(pattern: Pattern, mode: CodeMode, has66: boolean): 16 | 32 {
  if (pattern.mandatory === "np" && pattern.operandSize === 32) return 32;
  return has66 && pattern.mandatory !== "66" ? otherSize(mode) : plainSize(mode);
}

function plainSize(mode: CodeMode): 16 | 32 {
  return mode === 16 ? 16 : 32;
}

function otherSize(mode: CodeMode): 16 | 32 {
  return mode === 16 ? 32 : 16;
}

function mandatoryOf(variant: number): Pattern["mandatory"] {
  if ((variant & VARIANT_REP) !== 0) return "f3";
  if ((variant & VARIANT_REPNE) !== 0) return "f2";
  return (variant & VARIANT_OPERAND_SIZE) === 0 ? "np" : "66";
}

function modeOf(variant: number): CodeMode {
  const index = variant >> VARIANT_MODE_SHIFT;
  return index === 2 ? 64 : index === 1 ? 32 : 16;
}

function addressWidthOf(variant: number): 16 | 32 | 64 {
  const mode = modeOf(variant);
  if ((variant & VARIANT_ADDRESS_SIZE) === 0) return mode;
  return mode === 32 ? 16 : 32;
}

function repeatOf(pattern: Pattern, variant: number): Repeat {
  const { repeatable } = pattern.instruction;
  const rep = (variant & VARIANT_REP) !== 0;
  const repne = (variant & VARIANT_REPNE) !== 0;
  if (repeatable === undefined || !(rep || repne)) return "none";
  if (repeatable === "rep") return "rep";
  return rep ? "repe" : "repne";
}
