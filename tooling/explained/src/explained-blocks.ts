/**
 * What documents show of the command's output and of the guest kernel: the text between two comments.
 *
 *     <!-- explained: pgfault vtx:shadow -->     what `ringside compare --explain` says of one strategy
 *     <!-- printed: trap-and-emulate -->         what `ringside` prints with these arguments
 *     <!-- ported: machine_idle -->              functions of the guest kernel in both its builds, as a difference
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

const block = /<!-- (explained|printed|ported): ([^>]*?) -->\n[^]*?<!-- end -->/gu;

/** Where blocks take their text from. */
export interface Sources {
  /** What `ringside` prints with these arguments. */
  readonly printedBy: (args: readonly string[]) => string;
  /** A function of the guest kernel in both its builds. */
  readonly portedBy: (name: string) => string;
}

/** The document with each block as its source has it. */
export function withOutput(document: string, sources: Sources): string {
  return document.replaceAll(block, (_, kind: string, words: string) => {
    const [language, text] = blockText(kind, argumentsOf(words), sources);
    return `<!-- ${kind}: ${words} -->\n\n\`\`\`${language}\n${text}\n\`\`\`\n\n<!-- end -->`;
  });
}

function blockText(
  kind: string,
  words: readonly string[],
  { printedBy, portedBy }: Sources,
): readonly [language: string, text: string] {
  if (kind === "ported") return ["diff", words.map(portedBy).join("\n\n")];
  const { args, text } = shownBy(kind, words);
  return ["text", text(printedBy(args)).trimEnd()];
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
