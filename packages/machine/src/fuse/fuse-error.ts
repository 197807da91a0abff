/** An answer that is an error number of Linux. */
export class FuseError extends Error {
  override readonly name: string = "FuseError";
  readonly number: number;

  constructor(number: number) {
    super(`FUSE error ${number}`);
    this.number = number;
  }
}
