/**
 * Packets: `$data#checksum`, with `}` before characters that mean something, and single bytes between them.
 *
 * Debugging with GDB, appendix E "GDB Remote Serial Protocol", section "Overview". Data are strings of one character
 * a byte.
 */

/** What arrives. */
export type PacketEvent =
  | { readonly kind: "packet"; readonly data: string }
  /** A packet whose checksum is wrong, or that is longer than what the reader takes. */
  | { readonly kind: "damaged" }
  /** `+`: the last packet arrived. */
  | { readonly kind: "acknowledged" }
  /** `-`: the last packet is to be sent again. */
  | { readonly kind: "refused" }
  /** Byte 3: the debugger wants the program to stop. */
  | { readonly kind: "interrupt" };

const start = 0x24; // $
const end = 0x23; // #
const escape = 0x7d; // }
const repeat = 0x2a; // *
const escapeBit = 0x20;
const interruptByte = 3;
/** A run-length count is a printable character; 29 more than the repetitions that follow the first. */
const repeatBias = 29;

/** The bytes of one packet. */
export function encodePacket(data: string): Uint8Array {
  const bytes: number[] = [start];
  let sum = 0;
  const push = (byte: number): void => {
    bytes.push(byte);
    sum = (sum + byte) & 0xff;
  };
  for (let index = 0; index < data.length; index += 1) {
    const byte = data.charCodeAt(index) & 0xff;
    if (byte === start || byte === end || byte === escape || byte === repeat) {
      push(escape);
      push(byte ^ escapeBit);
    } else push(byte);
  }
  const digits = sum.toString(16).padStart(2, "0");
  bytes.push(end, digits.charCodeAt(0), digits.charCodeAt(1));
  return Uint8Array.from(bytes);
}

/** Finds packets in a stream that is cut anywhere. What lies between packets and means nothing is dropped. */
export class PacketReader {
  readonly #maximumBytes: number;
  #state: "between" | "data" | "first-digit" | "second-digit" = "between";
  #raw: number[] = [];
  #tooLong = false;
  #digit = 0;

  /** @param maximumBytes Longest packet that is taken, as it is sent. */
  constructor(maximumBytes = 0x2_0000) {
    this.#maximumBytes = maximumBytes;
  }

  /** What the next bytes complete. */
  push(bytes: Uint8Array): readonly PacketEvent[] {
    const events: PacketEvent[] = [];
    for (const byte of bytes) {
      const event = this.#take(byte);
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  #take(byte: number): PacketEvent | undefined {
    switch (this.#state) {
      case "between":
        if (byte === start) this.#begin();
        else if (byte === 0x2b) return { kind: "acknowledged" };
        else if (byte === 0x2d) return { kind: "refused" };
        else if (byte === interruptByte) return { kind: "interrupt" };
        return undefined;
      case "data":
        if (byte === end) this.#state = "first-digit";
        else if (byte === start) this.#begin();
        else if (this.#raw.length >= this.#maximumBytes) this.#tooLong = true;
        else this.#raw.push(byte);
        return undefined;
      case "first-digit":
        this.#digit = hexDigit(byte);
        this.#state = "second-digit";
        return undefined;
      case "second-digit": {
        this.#state = "between";
        const sum = this.#raw.reduce((total, each) => (total + each) & 0xff, 0);
        if (this.#tooLong || this.#digit * 16 + hexDigit(byte) !== sum) return { kind: "damaged" };
        const data = decodeData(this.#raw, this.#maximumBytes);
        return data === undefined ? { kind: "damaged" } : { kind: "packet", data };
      }
    }
  }

  #begin(): void {
    this.#state = "data";
    this.#raw = [];
    this.#tooLong = false;
  }
}

/** Without escapes and run lengths; undefined when one has nothing to apply to, or makes too much of it. */
function decodeData(raw: readonly number[], maximumBytes: number): string | undefined {
  const pieces: string[] = [];
  let length = 0;
  let last: string | undefined;
  for (let index = 0; index < raw.length; index += 1) {
    const byte = raw[index] ?? 0;
    if (byte === repeat) {
      index += 1;
      const count = (raw[index] ?? 0) - repeatBias;
      if (last === undefined || count < 1) return undefined;
      pieces.push(last.repeat(count));
      length += count;
    } else {
      if (byte === escape) {
        index += 1;
        if (index >= raw.length) return undefined;
      }
      last = String.fromCharCode(byte === escape ? (raw[index] ?? 0) ^ escapeBit : byte);
      pieces.push(last);
      length += 1;
    }
    if (length > maximumBytes) return undefined;
  }
  return pieces.join("");
}

/** 256 for what is no digit, so that no checksum fits. */
function hexDigit(byte: number): number {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 256 : value;
}
