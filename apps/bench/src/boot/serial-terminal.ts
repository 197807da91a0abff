/**
 * The command's terminal as the guest's serial console.
 *
 * On a terminal every key goes to the guest, Ctrl-C too; Ctrl-A is the one that is ours, as in QEMU: Ctrl-A x leaves,
 * Ctrl-A Ctrl-A sends one Ctrl-A.
 */
import type { ReadStream } from "node:tty";

const escapeByte = 0x01;
const leaveByte = 0x78;

/** Splits what is typed into bytes for the guest and the wish to leave. */
export class KeyReader {
  #escaped = false;

  /** Bytes that go to the guest, and whether the user wants to leave after them. */
  read(keys: Uint8Array): { readonly bytes: Uint8Array; readonly leaves: boolean } {
    const bytes: number[] = [];
    for (const key of keys) {
      if (this.#escaped) {
        this.#escaped = false;
        if (key === leaveByte) return { bytes: Uint8Array.from(bytes), leaves: true };
        if (key !== escapeByte) bytes.push(escapeByte);
        bytes.push(key);
      } else if (key === escapeByte) this.#escaped = true;
      else bytes.push(key);
    }
    return { bytes: Uint8Array.from(bytes), leaves: false };
  }
}

export interface TerminalListeners {
  readonly onBytes: (bytes: Uint8Array) => void;
  readonly onLeave: () => void;
}

/** Takes the terminal over: keys are neither echoed nor gathered to lines. Gives a function that gives it back. */
export function openTerminal(terminal: ReadStream, listeners: TerminalListeners): () => void {
  const keys = new KeyReader();
  const onData = (chunk: Buffer): void => {
    const { bytes, leaves } = keys.read(chunk);
    if (bytes.length > 0) listeners.onBytes(bytes);
    if (leaves) listeners.onLeave();
  };
  terminal.setRawMode(true);
  terminal.on("data", onData);
  return () => {
    terminal.off("data", onData);
    terminal.setRawMode(false);
    terminal.pause();
    terminal.unref();
  };
}
