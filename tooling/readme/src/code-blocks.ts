/** The fenced code blocks of a Markdown text. */
export interface CodeBlock {
  /** The word after the opening fence, or "". */
  readonly language: string;
  /** Without the fences, with a line feed at the end. */
  readonly code: string;
  /** Of the opening fence, counted from 1. */
  readonly line: number;
}

export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { fence: string; language: string; line: number; lines: string[] } | undefined;
  for (const [index, text] of markdown.split("\n").entries()) {
    const fence = /^(`{3,})(\w*)\s*$/u.exec(text);
    if (open === undefined) {
      if (fence !== null) {
        open = { fence: fence[1] ?? "", language: fence[2] ?? "", line: index + 1, lines: [] };
      }
    } else if (fence !== null && fence[1] === open.fence && fence[2] === "") {
      blocks.push({
        language: open.language,
        code: open.lines.map((line) => `${line}\n`).join(""),
        line: open.line,
      });
      open = undefined;
    } else {
      open.lines.push(text);
    }
  }
  if (open !== undefined) throw new SyntaxError(`The code block of line ${open.line} never ends.`);
  return blocks;
}
