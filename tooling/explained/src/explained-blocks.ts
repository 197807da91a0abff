/**
 * Walks through operations in a document: the text between two comments.
 *
 *     <!-- explained: pgfault vtx:shadow -->
 *     (a block of text, written by this tool)
 *     <!-- end -->
 */

/** Which walk a block holds. */
export interface Walk {
  readonly benchmark: string;
  readonly strategy: string;
}

const block = /<!-- explained: (\S+) (\S+) -->\n([^]*?)<!-- end -->/gu;

/** The document with each walk as `textOf` has it. */
export function withWalks(document: string, textOf: (walk: Walk) => string): string {
  return document.replaceAll(
    block,
    (_, benchmark: string, strategy: string) =>
      `<!-- explained: ${benchmark} ${strategy} -->\n\n\`\`\`text\n${textOf({ benchmark, strategy })}\n\`\`\`\n\n<!-- end -->`,
  );
}

/** What `ringside compare --explain` printed, without its heading. */
export function withoutHeading(printed: string): string {
  const [, ...rest] = printed.trimEnd().split("\n\n");
  return rest.join("\n\n");
}
