/**
 * The text of a vector file, by row.
 */
/** Vectors of one row, or of programs that end in it, as lines that `parseVector` reads. */
export interface RecordedEncoding {
  /** The row's key, with {@link PROGRAM} in front of it when the lines are programs. */
  readonly key: string;
  readonly lines: readonly string[];
}

/** A vector file, read. */
export interface RecordedFile {
  /** Lines that identify the processor which the vectors are of. */
  readonly processor: readonly string[];
  readonly encodings: readonly RecordedEncoding[];
}

/** What the key of programs begins with; the row of the last instruction that they reach follows. */
export const PROGRAM = "program: ";

/**
 * Splits a file into its rows.
 *
 * @throws {SyntaxError} A vector stands before the first row.
 */
export function parseRecordedFile(text: string): RecordedFile {
  const processor: string[] = [];
  const encodings: { key: string; lines: string[] }[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    if (line.startsWith("# ")) processor.push(line.slice(2));
    else if (line.startsWith("= ")) encodings.push({ key: line.slice(2), lines: [] });
    else {
      const current = encodings.at(-1);
      if (current === undefined) throw new SyntaxError(`A vector without a row: ${line}`);
      current.lines.push(line);
    }
  }
  return { processor, encodings };
}

/** The text that {@link parseRecordedFile} reads. */
export function formatRecordedFile({ processor, encodings }: RecordedFile): string {
  const lines = [
    ...processor.map((line) => `# ${line}`),
    ...encodings.flatMap(({ key, lines: vectors }) => [`= ${key}`, ...vectors]),
  ];
  return `${lines.join("\n")}\n`;
}
