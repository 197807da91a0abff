/**
 * One TCP connection that a machine opened, ended here and continued by a connection of the host.
 *
 * RFC 9293, "Transmission Control Protocol (TCP)". What goes to the machine is the sender's affair; what comes from it is
 * taken in order, and what comes too early is left for the machine to send again.
 */
import type { HostConnection, HostConnectionEvents } from "./host-sockets.ts";
import { distance, plus } from "./sequence.ts";
import { tcpFlag, type TcpSegment } from "./tcp-segment.ts";
import { TcpSender } from "./tcp-sender.ts";

const segmentBytesMaximum = 1460;
const segmentBytesDefault = 536;
const windowMaximum = 0xffff;
/** Bytes from the host that wait for the machine before the host is told to hold back. */
const backlogMaximum = 256 << 10;

type OutgoingSegment = Pick<
  TcpSegment,
  "sequence" | "acknowledgement" | "flags" | "window" | "payload"
> & {
  readonly maximumSegmentBytes?: number;
};

export interface TcpConnectionLines {
  /** Machine time in nanoseconds. */
  readonly now: () => number;
  /** A segment for the machine; ports are the owner's affair. */
  readonly send: (segment: OutgoingSegment) => void;
  readonly connect: (events: HostConnectionEvents) => HostConnection;
  /** The {@link TcpConnection.deadline} may be another one. */
  readonly onDeadline: () => void;
  /** Over: nothing more is sent or expected. */
  readonly onClosed: () => void;
}

export class TcpConnection {
  readonly #lines: TcpConnectionLines;
  readonly #host: HostConnection;
  readonly #sender: TcpSender;
  #isOpen = false;
  #isClosed = false;
  /** The next byte expected of the machine. */
  #expected: number;
  #machineEnded = false;
  #isHostHeld = false;

  /**
   * @param syn The machine's first segment.
   * @param initialSequence Of the bytes for the machine.
   */
  constructor(syn: TcpSegment, initialSequence: number, lines: TcpConnectionLines) {
    this.#lines = lines;
    this.#expected = plus(syn.sequence, 1);
    const wanted = syn.maximumSegmentBytes ?? segmentBytesDefault;
    this.#sender = new TcpSender({
      initialSequence,
      window: syn.window,
      segmentBytes: Math.max(1, Math.min(wanted, segmentBytesMaximum)),
      now: lines.now,
      send: (flags, sequence, payload) => this.#send(flags, sequence, payload),
    });
    this.#host = lines.connect({
      onOpen: () => this.#onOpen(),
      onData: (bytes) => this.#onData(bytes),
      onDrain: () => this.#acknowledge(),
      onEnd: () => this.#onEnd(),
      onClose: (isFailed) => this.#onClose(isFailed),
    });
  }

  /** Machine time at which {@link onTimeout} is due; Infinity while nothing is waited for. */
  get deadline(): number {
    return this.#sender.deadline;
  }

  /** The machine has not answered in time. */
  onTimeout(): void {
    if (this.#isClosed) return;
    if (this.#sender.onTimeout()) this.#lines.onDeadline();
    else this.#breakOff();
  }

  /** A segment of the machine. */
  receive(segment: TcpSegment): void {
    if (this.#isClosed) return;
    if ((segment.flags & tcpFlag.rst) !== 0) {
      this.#close();
      this.#host.abort();
      return;
    }
    if (!this.#isOpen) return;
    if ((segment.flags & tcpFlag.syn) !== 0) {
      // It has not got the answer to its first segment.
      if (plus(segment.sequence, 1) === this.#expected) this.#sender.repeatOpening();
      return;
    }
    if ((segment.flags & tcpFlag.ack) !== 0) {
      this.#sender.acknowledge(segment);
      if (this.#isHostHeld && this.#sender.queuedBytes < backlogMaximum) this.#holdHost(false);
    }
    this.#take(segment);
    this.#sender.transmit();
    this.#closeWhenDone();
    if (!this.#isClosed) this.#lines.onDeadline();
  }

  /** Breaks it off without a word to the machine. */
  abort(): void {
    if (this.#isClosed) return;
    this.#close();
    this.#host.abort();
  }

  #onOpen(): void {
    if (this.#isClosed) return;
    this.#isOpen = true;
    this.#sender.open();
    this.#lines.onDeadline();
  }

  #onData(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#sender.push(bytes);
    if (!this.#isHostHeld && this.#sender.queuedBytes > backlogMaximum) this.#holdHost(true);
    this.#lines.onDeadline();
  }

  #onEnd(): void {
    if (this.#isClosed) return;
    this.#sender.end();
    this.#lines.onDeadline();
  }

  #onClose(isFailed: boolean): void {
    if (this.#isClosed) return;
    if (isFailed) this.#breakOff();
    else this.#onEnd();
  }

  #holdHost(isHeld: boolean): void {
    this.#isHostHeld = isHeld;
    this.#host.setReading(!isHeld);
  }

  /** Tells the machine that there is no such connection any more. */
  #breakOff(): void {
    this.#send(tcpFlag.rst | tcpFlag.ack, this.#sender.next, new Uint8Array(0));
    this.#close();
    this.#host.abort();
  }

  get #window(): number {
    return Math.max(0, windowMaximum - this.#host.bufferedBytes);
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

  #closeWhenDone(): void {
    if (this.#machineEnded && this.#sender.isDone) this.#close();
  }

  #acknowledge(): void {
    if (this.#isOpen && !this.#isClosed) {
      this.#send(tcpFlag.ack, this.#sender.next, new Uint8Array(0));
    }
  }

  #send(flags: number, sequence: number, payload: Uint8Array): void {
    const isOpening = (flags & tcpFlag.syn) !== 0;
    this.#lines.send({
      sequence,
      acknowledgement: this.#expected,
      flags,
      window: this.#window,
      payload,
      ...(isOpening ? { maximumSegmentBytes: segmentBytesMaximum } : {}),
    });
  }

  #close(): void {
    this.#isClosed = true;
    this.#sender.stop();
    this.#lines.onClosed();
  }
}
