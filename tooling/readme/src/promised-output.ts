/** What an example says it prints: the text after each `// =>`, in order. */
export function promisedOutput(code: string): string[] {
  return [...code.matchAll(/\/\/ => (.+)$/gmu)].map((match) => (match[1] ?? "").trim());
}

/** The first promise that `output` does not keep, each looked for after the one before, or undefined. */
export function brokenPromise(promises: readonly string[], output: string): string | undefined {
  let from = 0;
  for (const promise of promises) {
    const at = output.indexOf(promise, from);
    if (at === -1) return promise;
    from = at + promise.length;
  }
  return undefined;
}
