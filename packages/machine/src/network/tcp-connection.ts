/**
 * One TCP connection that a machine opened, ended here and continued by a connection of the host.
 *
 * RFC 9293, "Transmission Control Protocol (TCP)". The cable between machine and network loses nothing and keeps the
 * order, so there are no retransmission timers: what the machine drops itself it asks for by repeating its
 * acknowledgement (RFC 5681, section 3.2, "Fast Retransmit/Fast Recovery").
 */
import type { HostConnection, HostConnectionEvents } from "./host-sockets.ts";
import { tcpFlag, type TcpSegment } from "./tcp-segment.ts";

const segmentBytesMaximum = 1460;
const segmentBytesDefault = 536;
const windowMaximum = 0xffff;
/** Bytes from the host that wait for the machine before the host is told to hold back. */
const backlogMaximum = 256 << 10;
const repeatsBeforeResend = 3;

type OutgoingSegment = Pick<
  TcpSegment,
  "sequence" | "acknowledgement" | "flags" | "window" | "payload"
> & {
  readonly maximumSegmentBytes?: number;
};

export interface TcpConnectionLines {
  /** A segment for the machine; ports are the owner's affair. */
  readonly send: (segment: OutgoingSegment) => void;
  readonly connect: (events: HostConnectionEvents) => HostConnection;
  /** Over: nothing more is sent or expected. */
  readonly onClosed: () => void;
}

export class TcpConnection {
  readonly #lines: TcpConnectionLines;
  readonly #host: HostConnection;
  /** Largest segment that the machine takes. */
  readonly #segmentBytes: number;
  #isOpen = false;
  #isClosed = false;
  /** The next byte expected of the machine. */
  #expected: number;
  #machineEnded = false;
  /** Sequence number of the first byte of the queue. */
  #unacknowledged: number;
  /** Bytes for the machine: sent and not acknowledged, then not sent. */
  #queue = new Uint8Array(0);
  #sentBytes = 0;
  #machineWindow: number;
  #hostEnded = false;
  #finSent = false;
  #finAcknowledged = false;
  #repeats = 0;

  /**
   * @param syn The machine's first segment.
   * @param initialSequence Of the bytes for the machine.
   */
  constructor(syn: TcpSegment, initialSequence: number, lines: TcpConnectionLines) {
    this.#lines = lines;
    this.#expected = plus(syn.sequence, 1);
    this.#unacknowledged = plus(initialSequence, 1);
    this.#machineWindow = syn.window;
    const wanted = syn.maximumSegmentBytes ?? segmentBytesDefault;
    this.#segmentBytes = Math.max(1, Math.min(wanted, segmentBytesMaximum));
    this.#host = lines.connect({
      onOpen: () => this.#onOpen(initialSequence),
      onData: (bytes) => this.#onData(bytes),
      onDrain: () => this.#acknowledge(),
      onEnd: () => this.#onEnd(),
      onClose: (isFailed) => this.#onClose(isFailed),
    });
  }

  /** A segment of the machine. */
  receive(segment: TcpSegment): void {
    if (this.#isClosed) return;
    if ((segment.flags & tcpFlag.rst) !== 0) {
      this.#close();
      this.#host.abort();
      return;
    }
    if (!this.#isOpen || (segment.flags & tcpFlag.syn) !== 0) return;
    if ((segment.flags & tcpFlag.ack) !== 0) this.#acknowledged(segment);
    this.#take(segment);
    this.#transmit();
    this.#closeWhenDone();
  }

  /** Breaks it off without a word to the machine. */
  abort(): void {
    if (this.#isClosed) return;
    this.#close();
    this.#host.abort();
  }

  #onOpen(initialSequence: number): void {
    if (this.#isClosed) return;
    this.#isOpen = true;
    this.#lines.send({
      sequence: initialSequence,
      acknowledgement: this.#expected,
      flags: tcpFlag.syn | tcpFlag.ack,
      window: windowMaximum,
      payload: new Uint8Array(0),
      maximumSegmentBytes: segmentBytesMaximum,
    });
  }

  #onData(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const joined = new Uint8Array(this.#queue.length + bytes.length);
    joined.set(this.#queue);
    joined.set(bytes, this.#queue.length);
    this.#queue = joined;
    if (this.#queue.length > backlogMaximum) this.#host.setReading(false);
    this.#transmit();
  }

  #onEnd(): void {
    this.#hostEnded = true;
    this.#transmit();
  }

  #onClose(isFailed: boolean): void {
    if (this.#isClosed) return;
    if (isFailed) {
      this.#send(tcpFlag.rst | tcpFlag.ack, this.#next, new Uint8Array(0));
      this.#close();
    } else {
      this.#onEnd();
    }
  }

  /** What was sent and not acknowledged; the end counts as one. */
  get #outstanding(): number {
    return this.#sentBytes + (this.#finSent && !this.#finAcknowledged ? 1 : 0);
  }

  /** The sequence number of the next byte for the machine. */
  get #next(): number {
    return plus(this.#unacknowledged, this.#outstanding);
  }

  get #window(): number {
    return Math.max(0, windowMaximum - this.#host.bufferedBytes);
  }

  #acknowledged(segment: TcpSegment): void {
    const bytes = distance(this.#unacknowledged, segment.acknowledgement);
    const sent = this.#outstanding;
    const isRepeat = bytes === 0 && segment.payload.length === 0 && sent > 0;
    const isWindowUpdate = segment.window !== this.#machineWindow;
    this.#machineWindow = segment.window;
    if (bytes > sent) return; // Acknowledges what was never sent, or is old.
    if (bytes > 0) {
      const data = Math.min(bytes, this.#queue.length);
      this.#queue = this.#queue.subarray(data);
      this.#sentBytes -= data;
      this.#unacknowledged = segment.acknowledgement;
      if (bytes > data) this.#finAcknowledged = true;
      else if (this.#queue.length < backlogMaximum) this.#host.setReading(true);
      this.#repeats = 0;
    } else if (isRepeat && !isWindowUpdate) {
      this.#repeats += 1;
      if (this.#repeats === repeatsBeforeResend) {
        this.#sentBytes = 0;
        this.#finSent = this.#finAcknowledged;
      }
    }
  }

  #take(segment: TcpSegment): void {
    const hasFin = (segment.flags & tcpFlag.fin) !== 0;
    if (segment.payload.length === 0 && !hasFin) {
      // A probe whether the connection still is there.
      if (segment.sequence !== this.#expected) this.#acknowledge();
      return;
    }
    // What comes again, in part or whole, was taken before; what comes too early was never acknowledged.
    const old = distance(segment.sequence, this.#expected);
    if (old > segment.payload.length) {
      this.#acknowledge();
      return;
    }
    const room = this.#window;
    const fresh = segment.payload.subarray(old, old + room);
    if (fresh.length > 0 && !this.#machineEnded) {
      this.#host.write(fresh.slice());
      this.#expected = plus(this.#expected, fresh.length);
    }
    const isWhole = old + fresh.length === segment.payload.length;
    if (hasFin && isWhole && !this.#machineEnded) {
      this.#machineEnded = true;
      this.#expected = plus(this.#expected, 1);
      this.#host.end();
    }
    this.#acknowledge();
  }

  #transmit(): void {
    if (!this.#isOpen || this.#isClosed) return;
    for (;;) {
      const left = Math.min(this.#queue.length, this.#machineWindow) - this.#sentBytes;
      if (left <= 0) break;
      const bytes = this.#queue.slice(
        this.#sentBytes,
        this.#sentBytes + Math.min(left, this.#segmentBytes),
      );
      const sequence = plus(this.#unacknowledged, this.#sentBytes);
      this.#sentBytes += bytes.length;
      this.#send(tcpFlag.ack | tcpFlag.psh, sequence, bytes);
      if (this.#isClosed) return;
    }
    if (this.#hostEnded && !this.#finSent && this.#sentBytes === this.#queue.length) {
      const sequence = this.#next;
      this.#finSent = true;
      this.#send(tcpFlag.fin | tcpFlag.ack, sequence, new Uint8Array(0));
    }
  }

  #closeWhenDone(): void {
    if (this.#machineEnded && this.#finAcknowledged) this.#close();
  }

  #acknowledge(): void {
    if (this.#isOpen && !this.#isClosed) this.#send(tcpFlag.ack, this.#next, new Uint8Array(0));
  }

  #send(flags: number, sequence: number, payload: Uint8Array): void {
    this.#lines.send({
      sequence,
      acknowledgement: this.#expected,
      flags,
      window: this.#window,
      payload,
    });
  }

  #close(): void {
    this.#isClosed = true;
    this.#lines.onClosed();
  }
}

function plus(sequence: number, bytes: number): number {
  return (sequence + bytes) % 2 ** 32;
}

/** How far `to` lies behind `from`, modulo 2^32. */
function distance(from: number, to: number): number {
  return (to - from + 2 ** 32) % 2 ** 32;
}
