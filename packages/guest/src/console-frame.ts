/**
 * The console protocol: frames between the guest's init and its host, among bytes that are no frames (log text).
 */
import { frameHeaderBytes, frameMagic, framePayloadMaxBytes, frameTypes } from "./abi.ts";

/** What the guest says in one frame. */
export type Frame =
  | { readonly type: "stdout"; readonly bytes: Uint8Array }
  | { readonly type: "stderr"; readonly bytes: Uint8Array }
  /** `waitStatus` is 32 bits, as wait4(2) gives it. */
  | { readonly type: "exit"; readonly waitStatus: number }
  | { readonly type: "stdin-closed" }
  | { readonly type: "message"; readonly text: string };

export interface FrameHandlers {
  /** One whole frame. Its bytes are a copy that the handler may keep. */
  readonly frame: (frame: Frame) => void;
  /**
   * Bytes that belong to no frame: log text, or what a guest sent that only looks like a frame.
   * The view is valid during the call.
   */
  readonly text?: (bytes: Uint8Array) => void;
}

/**
 * Finds frames in what a guest's console sends, in pieces of any size.
 *
 * The guest is not trusted: an unknown type, a length above {@link framePayloadMaxBytes} or an impossible payload makes
 * the magic byte plain text, and reading goes on behind it. At most one frame is ever held back.
 */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  readonly #held: Uint8Array = new Uint8Array(frameHeaderBytes + framePayloadMaxBytes);
  #heldBytes = 0;

  constructor(handlers: FrameHandlers) {
    this.#handlers = handlers;
  }

  /** Takes the next bytes, and calls the handlers for all that is complete now. */
  push(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#heldBytes === 0) {
        const magic = bytes.indexOf(frameMagic, offset);
        const end = magic === -1 ? bytes.length : magic;
        this.#text(bytes.subarray(offset, end));
        if (magic === -1) return;
        offset = magic;
      }
      const missing = this.#frameBytes() - this.#heldBytes;
      const part = bytes.subarray(offset, offset + missing);
      this.#held.set(part, this.#heldBytes);
      this.#heldBytes += part.length;
      offset += part.length;
      this.#settle();
    }
  }

  /** Bytes of the frame that is being read, as far as that is known. */
  #frameBytes(): number {
    if (this.#heldBytes < frameHeaderBytes) return frameHeaderBytes;
    return frameHeaderBytes + payloadBytes(this.#held);
  }

  /** Deals with the held bytes if they are a header that cannot be, or a whole frame. */
  #settle(): void {
    if (this.#heldBytes < frameHeaderBytes) return;
    if (!plausible(this.#held)) {
      this.#reread();
      return;
    }
    if (this.#heldBytes < this.#frameBytes()) return;
    const frame = frameOf(this.#held, this.#heldBytes);
    this.#heldBytes = 0;
    this.#handlers.frame(frame);
  }

  /** The magic byte was none: gives it away as text, and reads what was held behind it again. */
  #reread(): void {
    const again = this.#held.slice(1, this.#heldBytes);
    this.#heldBytes = 0;
    this.#text(this.#held.subarray(0, 1));
    this.push(again);
  }

  #text(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#handlers.text?.(bytes);
  }
}

/** A {@link FrameReader}. */
export function frameReader(handlers: FrameHandlers): FrameReader {
  return new FrameReader(handlers);
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

function payloadBytes(header: Uint8Array): number {
  return byteAt(header, 2) | (byteAt(header, 3) << 8);
}

/** Whether a header may start a frame of the guest. */
function plausible(header: Uint8Array): boolean {
  const length = payloadBytes(header);
  switch (byteAt(header, 1)) {
    case frameTypes.stdout:
    case frameTypes.stderr:
    case frameTypes.message:
      return length <= framePayloadMaxBytes;
    case frameTypes.exit:
      return length === 4;
    case frameTypes.stdinClosed:
      return length === 0;
    default:
      return false;
  }
}

function frameOf(held: Uint8Array, end: number): Frame {
  const payload = held.slice(frameHeaderBytes, end);
  switch (byteAt(held, 1)) {
    case frameTypes.stdout:
      return { type: "stdout", bytes: payload };
    case frameTypes.stderr:
      return { type: "stderr", bytes: payload };
    case frameTypes.exit:
      return { type: "exit", waitStatus: new DataView(payload.buffer).getUint32(0, true) };
    case frameTypes.message:
      return { type: "message", text: new TextDecoder().decode(payload) };
    default:
      return { type: "stdin-closed" };
  }
}

/** The types of frames that a host sends. */
export type HostFrameType = typeof frameTypes.stdin | typeof frameTypes.stdinEnd;

/**
 * Bytes for the guest's console: as many frames as the payload needs, at least one.
 *
 * An empty `stdin` payload is one frame without bytes, which the guest skips.
 */
export function encodeFrame(type: HostFrameType, payload: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let offset = 0; offset === 0 || offset < payload.length; offset += framePayloadMaxBytes) {
    const part = payload.subarray(offset, offset + framePayloadMaxBytes);
    const frame = new Uint8Array(frameHeaderBytes + part.length);
    frame.set([frameMagic, type, part.length & 0xff, part.length >> 8]);
    frame.set(part, frameHeaderBytes);
    frames.push(frame);
  }
  return frames;
}
