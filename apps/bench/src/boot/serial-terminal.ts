/**
 * The command's terminal as the guest's serial console.
 *
 * On a terminal every key goes to the guest, Ctrl-C too; Ctrl-A is the one that is ours, as in QEMU: Ctrl-A x leaves,
 * Ctrl-A h shows what there is, Ctrl-A Ctrl-A sends one Ctrl-A.
 */
import type { ReadStream } from "node:tty";

const escapeByte = 0x01;
const leaveByte = 0x78;
const helpByte = 0x68;

/** One line without its end. */
export const keyHelp = "Ctrl-A x leaves, Ctrl-A Ctrl-A sends one Ctrl-A, Ctrl-A h shows this.";

export interface KeysRead {
  /** For the guest. */
  readonly bytes: Uint8Array;
  /** The user wants to leave after them. */
  readonly leaves: boolean;
  /** The user wants to see {@link keyHelp}. */
  readonly asks: boolean;
}

/** Splits what is typed into bytes for the guest and the wish to leave. */
export class KeyReader {
  #escaped = false;

  read(keys: Uint8Array): KeysRead {
    const bytes: number[] = [];
    let asks = false;
    for (const key of keys) {
      if (this.#escaped) {
        this.#escaped = false;
        if (key === leaveByte) return { bytes: Uint8Array.from(bytes), leaves: true, asks };
        if (key === helpByte) asks = true;
        else if (key === escapeByte) bytes.push(escapeByte);
        else bytes.push(escapeByte, key);
      } else if (key === escapeByte) this.#escaped = true;
      else bytes.push(key);
    }
    return { bytes: Uint8Array.from(bytes), leaves: false, asks };
  }
}

export interface TerminalListeners {
  readonly onBytes: (bytes: Uint8Array) => void;
  readonly onLeave: () => void;
  readonly onHelp: () => void;
}

/** Takes the terminal over: keys are neither echoed nor gathered to lines. Gives a function that gives it back. */
export function openTerminal(terminal: ReadStream, listeners: TerminalListeners): () => void {
  const keys = new KeyReader();
  const onData = (chunk: Buffer): void => {
    const { bytes, leaves, asks } = keys.read(chunk);
    if (bytes.length > 0) listeners.onBytes(bytes);
    if (asks) listeners.onHelp();
    if (leaves) listeners.onLeave();
  };
  // A shell that lets a stopped command go on has had the terminal for itself meanwhile.
  const onContinue = (): void => {
    terminal.setRawMode(false);
    terminal.setRawMode(true);
  };
  terminal.setRawMode(true);
  terminal.on("data", onData);
  process.on("SIGCONT", onContinue);
  return () => {
    process.off("SIGCONT", onContinue);
    terminal.off("data", onData);
    terminal.setRawMode(false);
    terminal.pause();
    terminal.unref();
  };
}
