/** Tables and paragraphs in the terminal. */
import Table from "cli-table3";

const PLAIN = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/**
 * Columns without lines; the head, if there is one, is set off by a rule. Columns numbered in `right` are set flush
 * right. A row of one cell is a title that spans the table. A cell may have several lines.
 */
export function textTable(
  head: readonly string[] | undefined,
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): string {
  const columns = Math.max(head?.length ?? 0, ...rows.map((row) => row.length));
  const table = new Table({
    chars: PLAIN,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: Array.from({ length: columns }, (_, column) =>
      right.has(column) ? "right" : "left",
    ),
  });
  const all = head === undefined ? rows : [head, ...rows];
  // The table is laid out without the titles, which may be wider than the first column.
  table.push(...all.filter((row) => row.length > 1).map((row) => [...row]));
  const laidOut = table.toString().split("\n").values();
  const text = all.map((row) => {
    if (row.length <= 1) return [row[0] ?? ""];
    const height = Math.max(...row.map((cell) => cell.split("\n").length));
    return Array.from({ length: height }, () => (laidOut.next().value ?? "").trimEnd());
  });
  if (head === undefined) return text.flat().join("\n");
  const [first = [], ...rest] = text;
  const width = Math.max(...text.flat().map(visibleLength));
  return [...first, "─".repeat(width), ...rest.flat()].join("\n");
}

/** A column of prose is not made narrower than this. */
const LEAST_PROSE = 20;

/**
 * The rows with their prose, the columns numbered in `prose`, broken so that the table fits into so many columns of a
 * terminal, as far as that can be. Without `columns` nothing is broken: a pipe has no width.
 */
export function fitted(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  prose: readonly number[],
  columns: number | undefined,
): readonly (readonly string[])[] {
  if (columns === undefined) return rows;
  const all = [head, ...rows].filter((row) => row.length > 1);
  const widths = head.map((_, column) =>
    Math.max(...all.map((row) => visibleLength(row[column] ?? ""))),
  );
  const sum = (some: readonly number[]): number => some.reduce((a, b) => a + b, 0);
  const wanted = sum(prose.map((column) => widths[column] ?? 0));
  const left = columns - PLAIN.middle.length * (head.length - 1) - (sum(widths) - wanted);
  if (left >= wanted) return rows;
  return rows.map((row) =>
    row.map((cell, column) => {
      if (!prose.includes(column)) return cell;
      const share = Math.floor((left * (widths[column] ?? 0)) / wanted);
      return wrapped(cell, Math.max(LEAST_PROSE, share)).join("\n");
    }),
  );
}

/** Lines of at most `columns` characters, broken at blanks; a longer word has a line of its own. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (visibleLength(longer) > columns && line !== "") {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** Columns that a text without line feeds takes: colour codes take none. */
export function visibleLength(text: string): number {
  // oxlint-disable-next-line no-control-regex -- Colour codes begin with the escape character.
  return text.replaceAll(/\u001b\[[0-9;]*m/gu, "").length;
}
