/**
 * A function of the guest kernel that each of its builds has in its own way, as a difference: what the native build does,
 * marked by `-`, and what the paravirtual one does instead, marked by `+`.
 */

/**
 * @param native Sources of the native build, and `ported` those of the other, as texts of C.
 * @throws {SyntaxError} when one of them has no such function.
 */
export function portedFunction(
  name: string,
  native: readonly string[],
  ported: readonly string[],
): string {
  const before = functionIn(name, native, "native");
  const after = functionIn(name, ported, "paravirtual");
  const head = commonLines(before, after);
  const tail = commonLines(before.slice(head).toReversed(), after.slice(head).toReversed());
  return [
    ...before.slice(0, head).map((line) => ` ${line}`),
    ...before.slice(head, before.length - tail).map((line) => `-${line}`),
    ...after.slice(head, after.length - tail).map((line) => `+${line}`),
    ...before.slice(before.length - tail).map((line) => ` ${line}`),
  ].join("\n");
}

/** Lines from the one that begins with type and name to the one that closes the last brace. */
function functionIn(name: string, sources: readonly string[], build: string): readonly string[] {
  for (const source of sources) {
    const lines = source.split("\n");
    const first = lines.findIndex((line) =>
      new RegExp(`^[a-z][^;=]*\\b${name}\\(.*\\{`, "iu").test(line),
    );
    if (first === -1) continue;
    let depth = 0;
    for (let last = first; last < lines.length; last += 1) {
      for (const character of lines[last] ?? "") {
        if (character === "{") depth += 1;
        if (character === "}") depth -= 1;
      }
      if (depth === 0) return lines.slice(first, last + 1);
    }
  }
  throw new SyntaxError(`The ${build} build has no function ${name}.`);
}

/** How many lines are the same from the beginning on. */
function commonLines(some: readonly string[], others: readonly string[]): number {
  const different = some.findIndex((line, index) => line !== others[index]);
  return different === -1 ? some.length : different;
}
