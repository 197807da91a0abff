/** Looks for a text in a stream of bytes, wherever it is cut into pieces. */

/**
 * A function that takes the next bytes and says whether the text has appeared by now, from the beginning on.
 *
 * @param text Not empty; looked for as UTF-8.
 */
export function textWatch(text: string): (bytes: Uint8Array) => boolean {
  const wanted = new TextDecoder("latin1").decode(new TextEncoder().encode(text));
  const decoder = new TextDecoder("latin1");
  let tail = "";
  let found = false;
  return (bytes) => {
    if (found) return true;
    tail += decoder.decode(bytes);
    found = tail.includes(wanted);
    tail = wanted.length > 1 ? tail.slice(1 - wanted.length) : "";
    return found;
  };
}
