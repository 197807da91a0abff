/**
 * The list under a README's "Differs from the manual", made from the `Differs from the SDM:` comments of the
 * package's sources, so that no difference is known to the code alone.
 */
export interface Source {
  /** Relative to the package. */
  readonly path: string;
  readonly text: string;
}

const heading = "## Differs from the manual\n";

/** One Markdown list item per comment, or undefined when there are none. */
export function manualDifferences(sources: readonly Source[]): string | undefined {
  const items = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/Differs from the SDM: ((?:.+\n?)(?:\s*(?:\/\/|\*(?!\/)) ?\S.*\n?)*)/gu)].map(
      (match) => {
        const sentence = (match[1] ?? "")
          .replace(/\s*\*\/.*/su, "")
          .replace(/\n\s*(?:\/\/|\*) ?/gu, " ")
          .trim();
        const item = sentence.charAt(0).toUpperCase() + sentence.slice(1);
        return `- ${item} ([${path}](${path}))\n`;
      },
    ),
  );
  return items.length === 0 ? undefined : items.join("");
}

/** The README with its list replaced; the section is added before "## Layout", or at the end. */
export function withManualDifferences(readme: string, list: string | undefined): string {
  const start = readme.indexOf(heading);
  if (start !== -1) {
    const next = readme.indexOf("\n## ", start + heading.length);
    const tail = next === -1 ? "" : readme.slice(next + 1);
    const section = list === undefined ? "" : `${heading}\n${list}${tail === "" ? "" : "\n"}`;
    return readme.slice(0, start) + section + tail;
  }
  if (list === undefined) return readme;
  const layout = readme.indexOf("## Layout\n");
  return layout === -1
    ? `${readme}\n${heading}\n${list}`
    : `${readme.slice(0, layout)}${heading}\n${list}\n${readme.slice(layout)}`;
}
