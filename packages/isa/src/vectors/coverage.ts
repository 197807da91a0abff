/**
 * Which rows have tests of their own, because nothing useful can be recorded for them.
 */
import { encodingKey } from "./generate.ts";
import { tablePatterns } from "./plan.ts";

/**
 * Says that the test which calls this covers rows of the table: `"lgdt"` for all rows of an instruction, or
 * `"mov | 0F 20 /r"` for those with an opcode column. The arguments are string literals, because a check reads them in the source.
 *
 * @throws {RangeError} There is no such row.
 */
export function coversEncodings(...names: readonly string[]): void {
  const keys = tablePatterns().map(encodingKey);
  for (const name of names) {
    if (!keys.some((key) => isNamed(key, name))) {
      throw new RangeError(
        `No row of the table is "${name}". Write a mnemonic, or "mnemonic | opcode" as in the row.`,
      );
    }
  }
}

/** Whether a row is meant by a name given to {@link coversEncodings}. */
export function isNamed(key: string, name: string): boolean {
  return key.startsWith(`${name.replaceAll(/\s+/gu, " ")} |`);
}
