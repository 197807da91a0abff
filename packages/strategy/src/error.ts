/**
 * What an embedder did wrong, as one error class with a code that programs can switch on.
 *
 * What a guest does wrong is never an error: it is a fault to the guest, or an {@link Exit} of its machine.
 */

/**
 * - `invalid-option`: a number out of range, an unknown option.
 * - `guest-refused`: the strategy does not take this kind of guest; `accepts` says why.
 * - `invalid-guest`: the guest's files are malformed (a truncated ELF, an initrd that does not fit).
 * - `out-of-memory`: the host has too little memory for the guest.
 * - `host-busy`: another machine holds the host, and one of the two needs it alone.
 * - `wrong-state`: the operation is not possible in the machine's present state.
 * - `disposed`: the machine or the host was disposed before.
 */
export type StrategyErrorCode =
  | "invalid-option"
  | "guest-refused"
  | "invalid-guest"
  | "out-of-memory"
  | "host-busy"
  | "wrong-state"
  | "disposed";

export class StrategyError extends Error {
  override readonly name: string = "StrategyError";
  /** Id of the strategy that complains, or `host`. */
  readonly strategy: string;
  readonly code: StrategyErrorCode;

  /** @param message What happened, with the value. What was expected. What to do. */
  constructor(
    strategy: string,
    code: StrategyErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(`[ringside/${strategy}] ${message}`, options);
    this.strategy = strategy;
    this.code = code;
  }
}
