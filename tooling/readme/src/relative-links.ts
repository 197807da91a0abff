/** The files that a Markdown text links to, as written, without anchors; code blocks do not link. */
export function relativeLinks(markdown: string): string[] {
  const prose = markdown.replace(/^(`{3,})[^]*?^\1/gmu, "").replace(/`[^`\n]*`/gu, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/gu)]
    .map((match) => (match[1] ?? "").replace(/#.*$/u, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/u.test(target));
}
