/** An exception from the linter or the compiler says beside it why it is one. */
import { lineAt, type Complaint, type SourceFile } from "./source-file.ts";

const suppression =
  /(?:\/\/|\/\*)\s*(?:(?:ox|es)lint-disable[\w-]*[^\n]*|@ts-(?:expect-error|ignore|nocheck)[^\n]*)/gu;

export function suppressionReasons(file: SourceFile): Complaint[] {
  const complaints: Complaint[] = [];
  for (const match of file.text.matchAll(suppression)) {
    const line = lineAt(file.text, match.index);
    if (/@ts-(?:ignore|nocheck)/u.test(match[0])) {
      complaints.push({ path: file.path, line, message: "Use @ts-expect-error, with a reason." });
    } else if (!/lint-disable[^\n]* -- \w|@ts-expect-error:? \w/u.test(match[0])) {
      complaints.push({
        path: file.path,
        line,
        message: 'The exception has no reason. Write it after " -- ".',
      });
    }
  }
  return complaints;
}
