/**
 * A program's streams over the serial line of its machine, as the guest's init carries them.
 *
 * The host's end of the protocol: bytes from the line become standard output, standard error, log text and the
 * program's status; input becomes frames for the line.
 */
import { frameTypes } from "./abi.ts";
import { encodeFrame, FrameReader, type Frame } from "./console-frame.ts";

export interface ProgramConsoleListeners {
  readonly stdout?: ((bytes: Uint8Array) => void) | undefined;
  /** Standard error, and messages of init as lines. */
  readonly stderr?: ((bytes: Uint8Array) => void) | undefined;
  /** Bytes outside frames; a copy. */
  readonly log?: ((bytes: Uint8Array) => void) | undefined;
  /** The program reads no more. */
  readonly inputClosed?: (() => void) | undefined;
}

export class ProgramConsole {
  readonly #listeners: ProgramConsoleListeners;
  readonly #reader: FrameReader;
  #waitStatus: number | undefined;
  #inputClosed = false;

  constructor(listeners: ProgramConsoleListeners) {
    this.#listeners = listeners;
    this.#reader = new FrameReader({
      frame: (frame) => this.#onFrame(frame),
      text: (bytes) => this.#listeners.log?.(bytes.slice()),
    });
  }

  /** 32 bits as wait4(2) gives them, once the program has ended. The guest may have said anything. */
  get waitStatus(): number | undefined {
    return this.#waitStatus;
  }

  /** True when the program has closed its standard input. */
  get inputClosed(): boolean {
    return this.#inputClosed;
  }

  /** Takes what the guest sent. */
  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  /** What to send for bytes of standard input. */
  encodeInput(bytes: Uint8Array): readonly Uint8Array[] {
    return encodeFrame(frameTypes.stdin, bytes);
  }

  /** What to send when standard input ends. */
  encodeEnd(): readonly Uint8Array[] {
    return encodeFrame(frameTypes.stdinEnd, new Uint8Array());
  }

  #onFrame(frame: Frame): void {
    switch (frame.type) {
      case "stdout":
        this.#listeners.stdout?.(frame.bytes);
        break;
      case "stderr":
        this.#listeners.stderr?.(frame.bytes);
        break;
      case "message":
        this.#listeners.stderr?.(new TextEncoder().encode(`${frame.text}\n`));
        break;
      case "stdin-closed":
        this.#inputClosed = true;
        this.#listeners.inputClosed?.();
        break;
      case "exit":
        this.#waitStatus = frame.waitStatus;
    }
  }
}
