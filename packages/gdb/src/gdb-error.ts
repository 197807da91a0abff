/** The other side of a connection broke the protocol, refused, or went away. */

export class GdbError extends Error {
  override readonly name: string = "GdbError";

  /** @param message What happened, with the value. What was expected. */
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(`[ringside/gdb] ${message}`, options);
  }
}
