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
 * right. A row of one cell is a title that spans the table.
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
  const lines = head === undefined ? rows : [head, ...rows];
  // The table is laid out without the titles, which may be wider than the first column.
  table.push(...lines.filter((row) => row.length > 1).map((row) => [...row]));
  const laidOut = table.toString().split("\n").values();
  const text = lines.map((row) =>
    (row.length > 1 ? (laidOut.next().value ?? "") : (row[0] ?? "")).trimEnd(),
  );
  if (head === undefined) return text.join("\n");
  const [first = "", ...rest] = text;
  const width = Math.max(...text.map(visibleLength));
  return [first, "─".repeat(width), ...rest].join("\n");
}

/** Lines of at most `columns` characters, broken at blanks; a longer word has a line of its own. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length > columns && line !== "") {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

function visibleLength(text: string): number {
  // oxlint-disable-next-line no-control-regex -- Colour codes begin with the escape character.
  return text.replaceAll(/\u001b\[[0-9;]*m/gu, "").length;
}
