/**
 * The half of a TCP connection that brings bytes to the machine: what was sent, what came, what must be sent again.
 *
 * RFC 9293, section 3.8, "Data Communication"; RFC 5681, section 3.1, "Slow Start and Congestion Avoidance", and 3.2, "Fast
 * Retransmit/Fast Recovery"; RFC 6582, section 3.2, "Specification" (partial acknowledgements). The cable keeps the order, but
 * a card whose driver does not keep up drops frames, and so does the machine's own stack.
 */
import { distance, plus } from "./sequence.ts";
import { tcpFlag, type TcpSegment } from "./tcp-segment.ts";

/**
 * How long an acknowledgement is waited for, in machine time. Twice as long each time, as RFC 6298 section 5.5 has it. The
 * cable takes no time, so what is measured elsewhere is known here: more than a machine delays an acknowledgement.
 */
const patienceNanoseconds = 300_000_000;
const patienceMaximum = 60_000_000_000;
/** Timeouts in a row without a sign of life, which take three minutes, after which the machine is not there any more. */
const unansweredMaximum = 10;
const repeatsBeforeResend = 3;
/** RFC 6928, section 2, "TCP Modification". */
const initialSegments = 10;

export interface TcpSenderOptions {
  /** Sequence number of the segment that opens the connection. */
  readonly initialSequence: number;
  /** What the machine takes at first. */
  readonly window: number;
  /** Largest segment that the machine takes. */
  readonly segmentBytes: number;
  /** Machine time in nanoseconds. */
  readonly now: () => number;
  readonly send: (flags: number, sequence: number, payload: Uint8Array) => void;
}

export class TcpSender {
  readonly #options: TcpSenderOptions;
  /** The first sequence number that was not acknowledged: of the opening, of the first byte of the queue, or of the end. */
  #unacknowledged: number;
  #isOpening = true;
  /** Bytes for the machine: sent and not acknowledged, then not sent. */
  #queue = new Uint8Array(0);
  #sentBytes = 0;
  #hasEnd = false;
  #endSent = false;
  #endAcknowledged = false;
  #window: number;
  /** What the path is trusted to take at once, in bytes. */
  #congestionWindow: number;
  #slowStartThreshold = Infinity;
  #repeats = 0;
  /** What was sent before a loss was noticed: up to there, each acknowledgement of a part tells of another loss. */
  #recoversUntil: number | undefined;
  /** Since the machine last took something. */
  #timeouts = 0;
  /** Since the machine last said anything. */
  #unanswered = 0;
  #deadline = Infinity;

  constructor(options: TcpSenderOptions) {
    this.#options = options;
    this.#unacknowledged = options.initialSequence;
    this.#window = options.window;
    this.#congestionWindow = initialSegments * options.segmentBytes;
  }

  /** Bytes that the machine has not acknowledged, sent or not. */
  get queuedBytes(): number {
    return this.#queue.length;
  }

  /** The sequence number of the next byte for the machine. */
  get next(): number {
    return plus(this.#unacknowledged, this.#outstanding);
  }

  /** True once the machine has acknowledged everything, the end included. */
  get isDone(): boolean {
    return this.#endAcknowledged;
  }

  /** Machine time at which {@link onTimeout} is due; Infinity while nothing is waited for. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Sends the segment that opens the connection, for the first time or again. */
  open(): void {
    this.#options.send(tcpFlag.syn | tcpFlag.ack, this.#unacknowledged, new Uint8Array(0));
    this.#expect();
  }

  /** The machine opens once more: it has not got the answer. */
  repeatOpening(): void {
    if (this.#isOpening) this.open();
  }

  push(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#queue.length + bytes.length);
    joined.set(this.#queue);
    joined.set(bytes, this.#queue.length);
    this.#queue = joined;
    this.transmit();
  }

  /** Nothing comes behind what was pushed. */
  end(): void {
    this.#hasEnd = true;
    this.transmit();
  }

  /** A segment of the machine that acknowledges. */
  acknowledge({ acknowledgement, window, payload, flags }: TcpSegment): void {
    const count = distance(this.#unacknowledged, acknowledgement);
    if (count > this.#outstanding) return; // Acknowledges what was never sent, or is old.
    const isWindowUpdate = window !== this.#window;
    this.#window = window;
    this.#unanswered = 0;
    if (count > 0) this.#advance(count);
    else {
      const isEmpty = payload.length === 0 && (flags & tcpFlag.fin) === 0;
      const isRepeat = isEmpty && !isWindowUpdate && window > 0 && this.#outstanding > 0;
      if (isRepeat) this.#onRepeat();
    }
    this.#expect(count > 0);
  }

  /** Sends what the windows let through. */
  transmit(): void {
    if (this.#isOpening) return;
    const window = Math.min(this.#window, this.#congestionWindow);
    for (;;) {
      const unsent = this.#queue.length - this.#sentBytes;
      const bytes = this.#piece(this.#sentBytes, Math.max(window - this.#sentBytes, 0));
      // Section 3.8.6.2.1, "Sender's Algorithm -- When to Send Data": no crumbs because of a small window.
      const isCrumb = bytes.length < Math.min(unsent, this.#options.segmentBytes);
      if (bytes.length === 0 || (isCrumb && this.#sentBytes > 0)) break;
      const sequence = this.next;
      this.#sentBytes += bytes.length;
      this.#options.send(tcpFlag.ack | tcpFlag.psh, sequence, bytes);
    }
    if (this.#hasEnd && !this.#endSent && this.#sentBytes === this.#queue.length) {
      const sequence = this.next;
      this.#endSent = true;
      this.#sendEnd(sequence);
    }
    this.#expect();
  }

  /** What was waited for did not come. Gives false when the machine is not there any more. */
  onTimeout(): boolean {
    this.#timeouts += 1;
    this.#unanswered += 1;
    if (this.#unanswered > unansweredMaximum) return false;
    if (this.#window > 0) {
      this.#slowStartThreshold = this.#halved;
      this.#congestionWindow = this.#options.segmentBytes;
      this.#recoversUntil = this.next;
    }
    this.#repeats = 0;
    if (this.#isOpening) this.open();
    else this.#sendFirst();
    this.#expect(true);
    return true;
  }

  /** Nothing will be sent any more. */
  stop(): void {
    this.#deadline = Infinity;
  }

  /** What was sent and not acknowledged; opening and end count as one each. */
  get #outstanding(): number {
    if (this.#isOpening) return 1;
    return this.#sentBytes + (this.#endSent && !this.#endAcknowledged ? 1 : 0);
  }

  get #halved(): number {
    return Math.max(Math.floor(this.#outstanding / 2), 2 * this.#options.segmentBytes);
  }

  #advance(count: number): void {
    const wasOpening = this.#isOpening;
    this.#isOpening = false;
    const bytes = wasOpening ? 0 : Math.min(count, this.#queue.length);
    if (!wasOpening && count > bytes) this.#endAcknowledged = true;
    this.#queue = this.#queue.subarray(bytes);
    this.#sentBytes -= bytes;
    this.#unacknowledged = plus(this.#unacknowledged, count);
    this.#timeouts = 0;
    this.#repeats = 0;
    const { segmentBytes } = this.#options;
    if (this.#recoversUntil !== undefined) {
      const left = distance(this.#unacknowledged, this.#recoversUntil);
      if (left > 0 && left <= this.#outstanding) {
        this.#sendFirst();
        return;
      }
      this.#recoversUntil = undefined;
    }
    const isSlowStart = this.#congestionWindow < this.#slowStartThreshold;
    this.#congestionWindow += isSlowStart
      ? Math.min(bytes, segmentBytes)
      : Math.max(1, Math.floor((segmentBytes * segmentBytes) / this.#congestionWindow));
  }

  #onRepeat(): void {
    this.#repeats += 1;
    if (this.#repeats !== repeatsBeforeResend || this.#recoversUntil !== undefined) return;
    this.#slowStartThreshold = this.#halved;
    this.#congestionWindow = this.#slowStartThreshold;
    this.#recoversUntil = this.next;
    this.#sendFirst();
  }

  /** The first thing that was not acknowledged: again, or into a closed window to learn whether it still is. */
  #sendFirst(): void {
    if (this.#queue.length > 0) {
      const bytes = this.#piece(0, Math.max(Math.min(this.#queue.length, this.#window), 1));
      this.#sentBytes = Math.max(this.#sentBytes, bytes.length);
      this.#options.send(tcpFlag.ack | tcpFlag.psh, this.#unacknowledged, bytes);
    } else if (this.#endSent && !this.#endAcknowledged) {
      this.#sendEnd(this.#unacknowledged);
    }
  }

  #sendEnd(sequence: number): void {
    this.#options.send(tcpFlag.fin | tcpFlag.ack, sequence, new Uint8Array(0));
  }

  #piece(from: number, bytesMaximum: number): Uint8Array {
    const lengthBytes = Math.min(bytesMaximum, this.#options.segmentBytes);
    return this.#queue.slice(from, from + lengthBytes);
  }

  /** Sets the deadline: while something is to be acknowledged, or waits for a window. */
  #expect(startsAnew = false): void {
    const waits = this.#outstanding > 0 || (this.#queue.length > 0 && this.#window === 0);
    if (!waits) this.#deadline = Infinity;
    else if (startsAnew || this.#deadline === Infinity) {
      const patience = Math.min(patienceNanoseconds * 2 ** this.#timeouts, patienceMaximum);
      this.#deadline = this.#options.now() + patience;
    }
  }
}
