/**
 * A 16550 serial port: the console of most guests.
 *
 * National Semiconductor PC16550D data sheet, "Registers" (section 8) and "FIFO Interrupt Mode Operation"
 * (section 8.11). Transmission takes no time: the transmitter is always empty. The host sends only while the
 * guest asserts RTS, as a terminal with hardware flow control does, and fills the FIFO once it has been emptied,
 * one byte time per byte: a guest which leaves bytes in the FIFO holds the host back, and nothing is overrun.
 */
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";
import type { Timeline } from "../timeline.ts";

/**
 * Far below a real line: a guest that keeps up with it gathers long pieces, and handling many short ones would
 * cost most of a transfer.
 */
const defaultByteNanoseconds = 10;

const fifoBytes = 16;
const triggerLevels = [1, 4, 8, 14] as const;

/** Interrupt enable register. */
const ierReceived = 0x01;
const ierTransmitterEmpty = 0x02;
const ierLineStatus = 0x04;
const ierModemStatus = 0x08;
/** Modem control register. */
const mcrRequestToSend = 0x02;
const mcrOut2 = 0x08;
const mcrLoopback = 0x10;
/** Line status register. */
const lsrDataReady = 0x01;
const lsrOverrun = 0x02;
const lsrTransmitterEmpty = 0x60;

export interface UartOptions {
  /** Unique in its machine, such as `com1`. */
  readonly name: string;
  /** First of eight ports. */
  readonly base: number;
  /** Machine time for one received byte, in nanoseconds; an integer of at least 1. Default 10. */
  readonly byteNanoseconds?: number;
  /** Sets the interrupt line. */
  readonly setLine: (level: boolean) => void;
  /** Called with each byte that the guest transmits. */
  readonly onTransmit: (byte: number) => void;
}

export class Uart implements PortDevice {
  readonly name: string;
  readonly ports: readonly PortRange[];
  readonly #timeline: Timeline;
  readonly #options: UartOptions;
  readonly #byteNanoseconds: number;

  /** Bytes of the host that are not in the FIFO yet. */
  #incoming: ByteQueue = new ByteQueue();
  #fifo: number[] = [];
  #fifoEnabled = false;
  #trigger: number = 1;
  /** Bytes below the trigger level have waited for four byte times. */
  #timedOut = false;
  #divisor = 1;
  #interruptEnable = 0;
  #lineControl = 0;
  #modemControl = 0;
  #overrun = false;
  /** Bits 3:0 of the modem status: changes since the last read. */
  #modemDelta = 0;
  #scratch = 0;
  /** THR empty has not been reported since it became so. */
  #transmitterInterrupt = false;

  constructor(timeline: Timeline, options: UartOptions) {
    this.name = options.name;
    this.ports = [{ base: options.base, count: 8, widthBytes: 1 }];
    this.#timeline = timeline;
    this.#options = options;
    this.#byteNanoseconds = options.byteNanoseconds ?? defaultByteNanoseconds;
  }

  /** "Master Reset" of the data sheet; what the host sent is forgotten. */
  reset(): void {
    this.#incoming = new ByteQueue();
    this.#fifo = [];
    this.#fifoEnabled = false;
    this.#trigger = 1;
    this.#timedOut = false;
    this.#divisor = 1;
    this.#interruptEnable = 0;
    this.#lineControl = 0;
    this.#modemControl = 0;
    this.#overrun = false;
    this.#modemDelta = 0;
    this.#transmitterInterrupt = false;
    this.#timeline.cancel(this.name, "receive");
    this.#timeline.cancel(this.name, "timeout");
    this.#update();
  }

  /** Sends bytes to the guest; they are copied. */
  receive(bytes: Uint8Array): void {
    this.#incoming.push(bytes);
    this.#scheduleReceive();
  }

  /** Bytes of the host that the guest has not read yet. */
  get unreadBytes(): number {
    return this.#incoming.length + this.#fifo.length;
  }

  /** True when a byte from the host would raise the interrupt line: only then can input wake the guest. */
  get listens(): boolean {
    const control = mcrRequestToSend | mcrOut2;
    return (
      (this.#interruptEnable & ierReceived) !== 0 &&
      (this.#modemControl & (control | mcrLoopback)) === control
    );
  }

  onEvent(event: string): void {
    if (event === "timeout") {
      this.#timedOut = this.#fifo.length > 0;
    } else if (this.#fifo.length === 0 && (this.#modemControl & mcrRequestToSend) !== 0) {
      const room = this.#fifoEnabled ? fifoBytes : 1;
      this.#fifo.push(...this.#incoming.take(room));
      this.#timedOut = false;
      this.#scheduleTimeout();
    }
    this.#update();
  }

  readPort(port: number, _sizeBytes: AccessBytes): number {
    switch (port & 7) {
      case 0:
        return this.#latchesDivisor ? this.#divisor & 0xff : this.#readReceived();
      case 1:
        return this.#latchesDivisor ? this.#divisor >> 8 : this.#interruptEnable;
      case 2: {
        const identification = this.#identification();
        if (identification === 0x02) {
          this.#transmitterInterrupt = false;
          this.#update();
        }
        return identification | (this.#fifoEnabled ? 0xc0 : 0);
      }
      case 3:
        return this.#lineControl;
      case 4:
        return this.#modemControl;
      case 5: {
        const status =
          lsrTransmitterEmpty |
          (this.#fifo.length > 0 ? lsrDataReady : 0) |
          (this.#overrun ? lsrOverrun : 0);
        this.#overrun = false;
        this.#update();
        return status;
      }
      case 6: {
        const status = this.#modemLines | this.#modemDelta;
        this.#modemDelta = 0;
        this.#update();
        return status;
      }
      default:
        return this.#scratch;
    }
  }

  writePort(port: number, _sizeBytes: AccessBytes, value: number): void {
    switch (port & 7) {
      case 0:
        if (this.#latchesDivisor) this.#divisor = (this.#divisor & 0xff00) | value;
        else this.#transmit(value);
        break;
      case 1:
        if (this.#latchesDivisor) {
          this.#divisor = (this.#divisor & 0xff) | (value << 8);
        } else {
          // Enabling the interrupt while the transmitter is empty raises it at once.
          if ((value & ~this.#interruptEnable & ierTransmitterEmpty) !== 0) {
            this.#transmitterInterrupt = true;
          }
          this.#interruptEnable = value & 0x0f;
        }
        break;
      case 2:
        this.#writeFifoControl(value);
        break;
      case 3:
        this.#lineControl = value;
        break;
      case 4:
        this.#writeModemControl(value & 0x1f);
        break;
      case 7:
        this.#scratch = value;
        break;
      default: // Line and modem status are read only.
    }
    this.#update();
  }

  get #latchesDivisor(): boolean {
    return (this.#lineControl & 0x80) !== 0;
  }

  get #loopsBack(): boolean {
    return (this.#modemControl & mcrLoopback) !== 0;
  }

  /** Bits 7:4 of the modem status: DCD, RI, DSR, CTS. The other end is always there. */
  get #modemLines(): number {
    if (!this.#loopsBack) return 0xb0;
    // In loopback DTR, RTS, OUT1 and OUT2 come back as DSR, CTS, RI and DCD.
    const outputs = this.#modemControl;
    return (
      ((outputs & 1) << 5) | ((outputs & 2) << 3) | ((outputs & 4) << 4) | ((outputs & 8) << 4)
    );
  }

  #readReceived(): number {
    const byte = this.#fifo.shift() ?? 0;
    this.#timedOut = false;
    if (this.#fifo.length === 0) {
      this.#timeline.cancel(this.name, "timeout");
      this.#scheduleReceive();
    } else {
      this.#scheduleTimeout();
    }
    this.#update();
    return byte;
  }

  #transmit(value: number): void {
    // The byte leaves at once, and the holding register is empty again.
    this.#transmitterInterrupt = true;
    if (!this.#loopsBack) {
      this.#options.onTransmit(value);
      return;
    }
    if (this.#fifo.length < (this.#fifoEnabled ? fifoBytes : 1)) {
      this.#fifo.push(value);
      this.#scheduleTimeout();
    } else {
      this.#overrun = true;
    }
  }

  #writeFifoControl(value: number): void {
    const enabled = (value & 1) !== 0;
    // Changing the mode or setting bit 1 clears the receive FIFO.
    if (enabled !== this.#fifoEnabled || (enabled && (value & 2) !== 0)) {
      this.#fifo = [];
      this.#timedOut = false;
      this.#timeline.cancel(this.name, "timeout");
    }
    this.#fifoEnabled = enabled;
    if (enabled) this.#trigger = triggerLevels[value >> 6] ?? 1;
    this.#scheduleReceive();
  }

  #writeModemControl(value: number): void {
    const before = this.#modemLines;
    this.#modemControl = value;
    const changed = before ^ this.#modemLines;
    // DCTS, DDSR, DDCD on any change; TERI when RI falls.
    this.#modemDelta |= (changed >> 4) & 0x0b;
    if ((changed & before & 0x40) !== 0) this.#modemDelta |= 0x04;
    this.#scheduleReceive();
  }

  #scheduleReceive(): void {
    const isReady = (this.#modemControl & (mcrRequestToSend | mcrLoopback)) === mcrRequestToSend;
    if (this.#incoming.length === 0 || this.#fifo.length > 0 || !isReady) return;
    const bytes = this.#fifoEnabled ? Math.min(this.#incoming.length, fifoBytes) : 1;
    this.#timeline.schedule(
      this.name,
      "receive",
      this.#timeline.now + bytes * this.#byteNanoseconds,
    );
  }

  /** Section 8.11: bytes below the trigger level are reported after four byte times. */
  #scheduleTimeout(): void {
    if (!this.#fifoEnabled || this.#fifo.length >= this.#trigger) return;
    this.#timeline.schedule(this.name, "timeout", this.#timeline.now + 4 * this.#byteNanoseconds);
  }

  /** "Interrupt Identification Register" bits 3:0, by priority. */
  #identification(): number {
    const enabled = this.#interruptEnable;
    if ((enabled & ierLineStatus) !== 0 && this.#overrun) return 0x06;
    if ((enabled & ierReceived) !== 0) {
      const level = this.#fifoEnabled ? this.#trigger : 1;
      if (this.#fifo.length >= level) return 0x04;
      if (this.#timedOut) return 0x0c;
    }
    if ((enabled & ierTransmitterEmpty) !== 0 && this.#transmitterInterrupt) return 0x02;
    if ((enabled & ierModemStatus) !== 0 && this.#modemDelta !== 0) return 0x00;
    return 0x01;
  }

  /** A PC gates the interrupt with OUT2, which loopback cuts off from its pin. */
  #update(): void {
    const gated = (this.#modemControl & (mcrOut2 | mcrLoopback)) === mcrOut2;
    this.#options.setLine(gated && this.#identification() !== 0x01);
  }
}

/** Bytes in order, taken from the front without moving the rest. */
class ByteQueue {
  readonly #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that were taken. */
  #offset = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes.slice());
    this.#length += bytes.length;
  }

  /** At most `limit` bytes. */
  take(limit: number): number[] {
    const taken: number[] = [];
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const piece = chunk.subarray(this.#offset, this.#offset + limit - taken.length);
      taken.push(...piece);
      this.#offset += piece.length;
      if (this.#offset < chunk.length) break;
      this.#chunks.shift();
      this.#offset = 0;
    }
    this.#length -= taken.length;
    return taken;
  }
}
