/**
 * Families of instructions that share everything but a table row and a line of meaning.
 */
import type { Encoding, Instruction } from "../dsl.ts";

/** The title of an instruction's page in the manual, and its meaning. */
export type Member = readonly [title: string, semantics: Instruction["semantics"]];

/**
 * Where the page with this title is. Vol. 2 is in alphabetical order: 2A to L, 2B to U, 2C the V's, 2D the rest.
 */
function manualPage(title: string): string {
  const initial = title.charAt(0);
  const part = initial <= "L" ? "2A" : initial <= "U" ? "2B" : initial === "V" ? "2C" : "2D";
  return `Intel SDM Vol. ${part}, ${title}`;
}

/**
 * One instruction for each mnemonic of `members`, with the rows that start with it.
 *
 * @throws {SyntaxError} A row without a meaning, or a meaning without a row.
 */
export function family(
  common: Omit<Instruction, "mnemonic" | "reference" | "encodings" | "semantics">,
  rows: readonly Encoding[],
  members: Readonly<Record<string, Member>>,
): readonly Instruction[] {
  const byMnemonic = Map.groupBy(rows, (row) =>
    (row.instruction.split(" ")[0] ?? "").toLowerCase(),
  );
  for (const mnemonic of byMnemonic.keys()) {
    if (members[mnemonic] === undefined)
      throw new SyntaxError(`Rows of ${mnemonic} have no meaning.`);
  }
  return Object.entries(members).map(([mnemonic, [title, semantics]]) => {
    const encodings = byMnemonic.get(mnemonic);
    if (encodings === undefined) throw new SyntaxError(`The meaning of ${mnemonic} has no rows.`);
    return { ...common, mnemonic, reference: manualPage(title), encodings, semantics };
  });
}
