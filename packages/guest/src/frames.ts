/**
 * Frames on the console: how a program's streams and its exit status travel between a guest's init and the host.
 *
 * A frame is the magic 0xf5, a type (1 byte), the length of the payload (2 bytes, little-endian, at most 4096) and the
 * payload. Bytes outside of frames are text of the kernel.
 */

const magic = 0xf5;
const headerBytes = 4;
const payloadBytesMaximum = 4096;

/** Types of frames. Guest to host below 0x80, host to guest from there on. */
export const frameTypes = {
  stdout: 1,
  stderr: 2,
  /** 4 bytes, little-endian: the program's wait status. The guest then powers off. */
  exit: 3,
  /** Nobody will read further input. */
  stdinClosed: 4,
  /** Text: why the program could not be started. */
  message: 5,
  stdin: 0x81,
  stdinEnd: 0x82,
} as const;

export interface FrameListeners {
  readonly stdout: (bytes: Uint8Array) => void;
  readonly stderr: (bytes: Uint8Array) => void;
  /** The wait status of the program, as wait4(2) gives it. */
  readonly exit: (waitStatus: number) => void;
  readonly stdinClosed: () => void;
  /** Why the program could not be started. */
  readonly message: (text: string) => void;
  /** Bytes that belong to no frame. */
  readonly text: (bytes: Uint8Array) => void;
}

/** Takes a guest's console apart. Whatever a hostile guest sends, it keeps at most one frame. */
export class FrameReader {
  readonly #listeners: FrameListeners;
  readonly #frame = new Uint8Array(headerBytes + payloadBytesMaximum);
  /** Bytes of the present frame that have come. */
  #length = 0;

  constructor(listeners: FrameListeners) {
    this.#listeners = listeners;
  }

  /** Takes the next bytes, cut anywhere. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#length === 0) at = this.#skipText(bytes, at);
      const part = bytes.subarray(at, at + this.#missing);
      this.#frame.set(part, this.#length);
      this.#length += part.length;
      at += part.length;
      if (this.#length === headerBytes && this.#payloadBytes > payloadBytesMaximum) this.#discard();
      else if (this.#length >= headerBytes && this.#missing === 0) this.#finish();
    }
  }

  /** Reports text up to the next magic, and gives its place or the end. */
  #skipText(bytes: Uint8Array, from: number): number {
    const next = bytes.indexOf(magic, from);
    const end = next < 0 ? bytes.length : next;
    if (end > from) this.#listeners.text(bytes.slice(from, end));
    return end;
  }

  /** Bytes that the header, and then the payload, still lack. */
  get #missing(): number {
    if (this.#length < headerBytes) return headerBytes - this.#length;
    return headerBytes + this.#payloadBytes - this.#length;
  }

  get #payloadBytes(): number {
    return (this.#frame[2] ?? 0) | ((this.#frame[3] ?? 0) << 8);
  }

  /** A header with a length that no frame has is text. */
  #discard(): void {
    this.#listeners.text(this.#frame.slice(0, headerBytes));
    this.#length = 0;
  }

  #finish(): void {
    const type = this.#frame[1];
    const payload = this.#frame.slice(headerBytes, this.#length);
    this.#length = 0;
    switch (type) {
      case frameTypes.stdout:
        this.#listeners.stdout(payload);
        break;
      case frameTypes.stderr:
        this.#listeners.stderr(payload);
        break;
      case frameTypes.exit:
        if (payload.length === 4) {
          this.#listeners.exit(new DataView(payload.buffer).getUint32(0, true));
        }
        break;
      case frameTypes.stdinClosed:
        this.#listeners.stdinClosed();
        break;
      case frameTypes.message:
        this.#listeners.message(new TextDecoder().decode(payload));
        break;
      default: // A type that this version does not know carries nothing that it could use.
    }
  }
}

/** Input for the guest's program as frames, in one piece. Empty input is no frame. */
export function encodeInput(bytes: Uint8Array): Uint8Array {
  const frames = Math.ceil(bytes.length / payloadBytesMaximum);
  const encoded = new Uint8Array(bytes.length + frames * headerBytes);
  let to = 0;
  for (let from = 0; from < bytes.length; from += payloadBytesMaximum) {
    const payload = bytes.subarray(from, from + payloadBytesMaximum);
    encoded.set([magic, frameTypes.stdin, payload.length & 0xff, payload.length >> 8], to);
    encoded.set(payload, to + headerBytes);
    to += headerBytes + payload.length;
  }
  return encoded;
}

/** The frame that ends the program's input. */
export function encodeInputEnd(): Uint8Array {
  return Uint8Array.of(magic, frameTypes.stdinEnd, 0, 0);
}
