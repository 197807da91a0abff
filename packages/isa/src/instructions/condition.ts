/**
 * The sixteen conditions that Jcc, SETcc and CMOVcc share. An odd one negates the even one before it.
 *
 * Intel SDM Vol. 1 Appendix B, "EFLAGS Condition Codes". Each has several names; ours are the ones that disassemblers
 * print.
 */
import type { Encoding, Instruction } from "../dsl.ts";
import type { StatusFlag } from "../semantics.ts";

/** A condition: `code` is the low four bits of the opcode. */
export interface Condition {
  readonly code: number;
  readonly name: string;
  readonly reads: readonly StatusFlag[];
}

const TESTS: readonly (readonly [name: string, negated: string, reads: readonly StatusFlag[]])[] = [
  ["o", "no", ["OF"]],
  ["b", "ae", ["CF"]],
  ["e", "ne", ["ZF"]],
  ["be", "a", ["CF", "ZF"]],
  ["s", "ns", ["SF"]],
  ["p", "np", ["PF"]],
  ["l", "ge", ["SF", "OF"]],
  ["le", "g", ["ZF", "SF", "OF"]],
];

const conditions: readonly Condition[] = TESTS.flatMap(([name, negated, reads], pair) => [
  { code: 2 * pair, name, reads },
  { code: 2 * pair + 1, name: negated, reads },
]);

/**
 * One instruction for each condition, with the encodings among `rows` whose mnemonic is `prefix` and its name.
 */
export function conditionalInstructions(
  prefix: string,
  rows: readonly Encoding[],
  define: (mnemonic: string, condition: Condition, encodings: readonly Encoding[]) => Instruction,
): readonly Instruction[] {
  return conditions.map((condition) => {
    const mnemonic = prefix + condition.name;
    const start = `${mnemonic.toUpperCase()} `;
    return define(
      mnemonic,
      condition,
      rows.filter((row) => row.instruction.startsWith(start)),
    );
  });
}
