/** Text in a page. */

/** Text from a report, which may be a stranger's, as text and attribute of a page: never as markup. */
export function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** A table that scrolls by itself where the page is narrower, instead of squeezing its columns. */
export function table(
  head: string,
  rows: readonly string[],
  minimumColumns: "few" | "many",
): string {
  return `<div class="scroll"><table class="${minimumColumns}">
<thead>${head}</thead>
<tbody>${rows.join("\n")}</tbody>
</table></div>`;
}
