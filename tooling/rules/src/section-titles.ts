/**
 * A manual's section is cited with its title, because numbers move between editions.
 *
 * Accepted: `§3.4.3.1, "Status Flags"`, also with the comment wrapped between number and title.
 */
import { lineAt, type Complaint, type SourceFile } from "./source-file.ts";

const citation = /§+\s?[A-Z]?\d[\w.]*|§/gu;
const title = /^,?\s*["“]\S/u;

export function sectionTitles(file: SourceFile): Complaint[] {
  const complaints: Complaint[] = [];
  for (const match of file.text.matchAll(citation)) {
    const rest = file.text
      .slice(match.index + match[0].length, match.index + match[0].length + 120)
      .replace(/\n\s*(?:\*|\/\/|#|;)?/gu, " ")
      // Inside a TypeScript string the quotes of the title are escaped or of the other kind.
      .replaceAll("\\", "");
    if (!title.test(rest)) {
      complaints.push({
        path: file.path,
        line: lineAt(file.text, match.index),
        message: `${match[0]} has no title after it. Write §N, "Title of the section".`,
      });
    }
  }
  return complaints;
}
