/** Bytes and numbers as the protocol writes them: two hexadecimal digits a byte, registers in the target's order. */

export function hexOfBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Undefined when the text is not two digits for each byte. */
export function bytesOfHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/iu.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}

/** A register of `bits` bits, least significant byte first. */
export function hexOfValue(value: bigint, bits: number): string {
  let text = "";
  for (let shift = 0n; shift < BigInt(bits); shift += 8n)
    text += ((value >> shift) & 0xffn).toString(16).padStart(2, "0");
  return text;
}

/** The opposite of {@link hexOfValue}; undefined when the text is no hexadecimal number of whole bytes. */
export function valueOfHex(text: string): bigint | undefined {
  const bytes = bytesOfHex(text);
  return bytes?.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** An address or a number in a request: hexadecimal, most significant digit first. */
export function parseHex(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[0-9a-f]{1,16}$/iu.test(text)) return undefined;
  return BigInt(`0x${text}`);
}
