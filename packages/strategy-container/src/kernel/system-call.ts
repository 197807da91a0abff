/** System calls as rows of one table: everything that is known about a call stands in its row. */
import type { Call } from "./call.ts";

export interface SystemCall {
  readonly number: number;
  readonly name: string;
  /** Gives the value for RAX, an error number, or one of call.ts's marks. */
  readonly handler: (call: Call) => number;
  /**
   * How much of Linux's call is there: `full`; `partial` (the note says what is missing); `accepted` (it succeeds and
   * has nothing to do here, the note says why).
   */
  readonly support: "full" | "partial" | "accepted";
  readonly note?: string;
}

export interface SystemCallTable {
  /** By number; holes are calls that do not exist here: ENOSYS. */
  readonly rows: readonly (SystemCall | undefined)[];
}

/** Makes the table. Two rows with one number are a bug of the table. */
export function systemCallTable(groups: readonly (readonly SystemCall[])[]): SystemCallTable {
  const rows: (SystemCall | undefined)[] = [];
  for (const row of groups.flat()) {
    while (rows.length <= row.number) rows.push(undefined);
    const other = rows[row.number];
    if (other !== undefined) {
      throw new SyntaxError(
        `System call ${row.number} has two rows, ${other.name} and ${row.name}.`,
      );
    }
    rows[row.number] = row;
  }
  return { rows };
}

/** One row; `support` is `full` unless said otherwise. */
export function row(
  number: number,
  name: string,
  handler: (call: Call) => number,
  support: SystemCall["support"] = "full",
  note?: string,
): SystemCall {
  return { number, name, handler, support, ...(note === undefined ? {} : { note }) };
}
