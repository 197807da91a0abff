/**
 * Globals that Node, browsers and workers all have, for packages compiled with `types: []`.
 *
 * Kept to what the packages use: a name that is missing here is a name that some host does not have.
 * Projects that load Node's own types leave this file out and keep webassembly.d.ts.
 */

interface TextEncoder {
  /** UTF-8 bytes of `input`; a lone surrogate becomes U+FFFD. */
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}
declare var TextEncoder: { new (): TextEncoder };

interface TextDecoder {
  decode(input?: ArrayBufferView | ArrayBufferLike, options?: { stream?: boolean }): string;
}
declare var TextDecoder: {
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};

/** Runs `callback` after the current job and before timers. */
declare function queueMicrotask(callback: () => void): void;

declare function setTimeout(callback: () => void, delayMs?: number): unknown;

interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Base64 text to a string of one character per byte. Throws when `data` is not base64. */
declare function atob(data: string): string;

/** Bytes or values that come one after the other (WHATWG Streams), as far as libraries are handed them. */
interface ReadableStream<R = unknown> {
  getReader(): {
    /** `value` is undefined at the end. Rejects when the source failed. */
    read(): Promise<{ readonly done: boolean; readonly value?: R }>;
    /** What is left is not wanted. */
    cancel(): Promise<void>;
  };
}
declare var ReadableStream: {
  new <R = unknown>(source?: {
    start?(controller: { enqueue(chunk: R): void; close(): void }): void;
  }): ReadableStream<R>;
};
