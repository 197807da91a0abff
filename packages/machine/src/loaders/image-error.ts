/** A file from outside that is not what it should be. */

export class ImageError extends Error {
  override readonly name: string = "ImageError";
  /** What kind of file it was read as, such as `ELF`. */
  readonly file: string;
  /** Byte offset of what is wrong. */
  readonly offset: number;
  readonly expected: string;

  /** @param found What is there instead. */
  constructor(file: string, offset: number, expected: string, found: string) {
    super(`${file}: at offset 0x${offset.toString(16)} expected ${expected}, found ${found}.`);
    this.file = file;
    this.offset = offset;
    this.expected = expected;
  }
}
