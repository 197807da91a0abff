/** Tables in the terminal. */
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

/** Columns without lines; the head is set off by a rule. Columns named in `right` are set flush right. */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): string {
  const table = new Table({
    chars: PLAIN,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: head.map((_name, column) => (right.has(column) ? "right" : "left")),
  });
  table.push([...head], ...rows.map((row) => [...row]));
  const lines = table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
  const [first = "", ...rest] = lines;
  const width = Math.max(...lines.map(visibleLength));
  return [first, "─".repeat(width), ...rest].join("\n");
}

function visibleLength(text: string): number {
  // oxlint-disable-next-line no-control-regex -- Colour codes begin with the escape character.
  return text.replaceAll(/\u001b\[[0-9;]*m/gu, "").length;
}
