/** Connects a guest's standard streams to the command's. */
import type { Readable, Writable } from "node:stream";
import type { Input, OutputListeners } from "@ringside/strategy";

/** The guest's side is allowed to lag behind by this much before the host's stream is paused. */
const BUFFER_MAXIMUM_BYTES = 1 << 20;
const POLL_MS = 5;

/** Writes what the guest writes. What cannot be written is an event of the stream. */
export function outputTo(stdout: Writable, stderr: Writable): OutputListeners {
  return {
    stdout: (bytes) => void stdout.write(bytes),
    stderr: (bytes) => void stderr.write(bytes),
  };
}

/**
 * Feeds a stream to the guest, no faster than it reads. Gives a function that stops feeding.
 *
 * @param onError Called when the stream cannot be read.
 */
export function feed(stream: Readable, input: Input, onError: (error: Error) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const resume = (): void => {
    timer = undefined;
    if (input.closed) {
      stop();
      return;
    }
    if (input.bufferedBytes < BUFFER_MAXIMUM_BYTES) stream.resume();
    else timer = setTimeout(resume, POLL_MS);
  };
  const onData = (chunk: Buffer): void => {
    if (input.closed) {
      stop();
      return;
    }
    input.write(chunk);
    if (input.bufferedBytes >= BUFFER_MAXIMUM_BYTES) {
      stream.pause();
      timer ??= setTimeout(resume, POLL_MS);
    }
  };
  const onEnd = (): void => {
    input.end();
  };
  const stop = (): void => {
    stream.off("data", onData);
    stream.off("end", onEnd);
    stream.pause();
    clearTimeout(timer);
    if ("unref" in stream && typeof stream.unref === "function") stream.unref();
  };
  stream.on("data", onData);
  stream.on("end", onEnd);
  stream.on("error", onError);
  return stop;
}
