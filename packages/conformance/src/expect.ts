/** Checks that throw errors which say what was expected. */
import { StrategyError, type StrategyErrorCode } from "@ringside/strategy";

/** Fails unless the two have the same structure and values. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [show(actual), show(expected)];
  if (a !== b) throw new Error(`${what}: expected ${clip(b)}, got ${clip(a)}.`);
}

export function expectTrue(holds: boolean, what: string): void {
  if (!holds) throw new Error(`${what}: it is not so.`);
}

/** Fails unless `action` throws a {@link StrategyError} of this code. */
export function expectError(code: StrategyErrorCode, action: () => unknown, what: string): void {
  let outcome = "nothing was thrown";
  try {
    action();
  } catch (error) {
    if (error instanceof StrategyError && error.code === code) return;
    outcome = String(error);
  }
  throw new Error(`${what}: expected a StrategyError "${code}", but ${outcome}.`);
}

/** JSON with sorted keys, and with the bigints and the bytes that JSON lacks. */
function show(value: unknown): string {
  const seen = JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "bigint") return `0x${part.toString(16)}`;
    if (part instanceof Uint8Array) return [...part].map((byte) => byte.toString(16)).join(" ");
    if (typeof part === "object" && part !== null && !Array.isArray(part)) {
      return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    }
    return part;
  });
  return seen ?? String(value);
}

/** The part of a long text that people can take in. */
function clip(text: string): string {
  return text.length <= 400 ? text : `${text.slice(0, 400)}… (${text.length} characters)`;
}
