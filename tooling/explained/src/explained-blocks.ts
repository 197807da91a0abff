/**
 * What documents show of the command's output: the text between two comments.
 *
 *     <!-- explained: pgfault vtx:shadow -->     what `ringside compare --explain` says of one strategy
 *     <!-- printed: trap-and-emulate -->         what `ringside` prints with these arguments
 *     (a block of text, written by this tool)
 *     <!-- end -->
 */

/** A command that a block shows the output of. */
export interface Shown {
  /** Arguments of `ringside`. */
  readonly args: readonly string[];
  /** What of the output is shown. */
  readonly text: (printed: string) => string;
}

const block = /<!-- (explained|printed): ([^>]*?) -->\n[^]*?<!-- end -->/gu;

/** The document with each block as `printedBy` has it. */
export function withOutput(
  document: string,
  printedBy: (args: readonly string[]) => string,
): string {
  return document.replaceAll(block, (_, kind: string, words: string) => {
    const { args, text } = shownBy(kind, argumentsOf(words));
    const shown = text(printedBy(args)).trimEnd();
    return `<!-- ${kind}: ${words} -->\n\n\`\`\`text\n${shown}\n\`\`\`\n\n<!-- end -->`;
  });
}

/** Words between blanks; those between quotes are one argument. */
function argumentsOf(words: string): readonly string[] {
  return [...words.matchAll(/"([^"]*)"|\S+/gu)].map(([word, quoted]) => quoted ?? word);
}

function shownBy(kind: string, words: readonly string[]): Shown {
  if (kind === "printed") return { args: words, text: (printed) => printed };
  const [benchmark = "", strategy = ""] = words;
  return {
    args: ["compare", "--explain", benchmark, "--strategies", strategy],
    text: withoutHeading,
  };
}

/** A walk through an operation begins with what is explained; the document has said that. */
function withoutHeading(printed: string): string {
  const [, ...rest] = printed.split("\n\n");
  return rest.join("\n\n");
}
