/** RFC 9293, RFC 5681 and RFC 6582, on a path that loses what the test says. */
import { expect, test } from "vitest";
import { distance, plus } from "./sequence.ts";
import { TcpSender } from "./tcp-sender.ts";
import { tcpFlag, type TcpSegment } from "./tcp-segment.ts";

const segmentBytes = 100;
const initialSequence = 0xffff_ff00;

/** A machine behind a path: it acknowledges each segment, and keeps what comes too early. */
class Receiver {
  readonly sender: TcpSender;
  readonly arrived: number[] = [];
  now = 0;
  window = 4000;
  sent = 0;
  /** Whether the segment with this number, counted from 0, is lost. */
  loses: (index: number) => boolean = () => false;
  hasEnd = false;
  #expected = plus(initialSequence, 1);
  readonly #early = new Map<number, Uint8Array>();
  #waiting: (() => void)[] = [];

  constructor() {
    this.sender = new TcpSender({
      initialSequence,
      window: this.window,
      segmentBytes,
      now: () => this.now,
      send: (flags, sequence, payload) => {
        const index = this.sent;
        this.sent += 1;
        if (this.loses(index)) return;
        this.#waiting.push(() => this.#take(flags, sequence, payload));
      },
    });
    this.sender.open();
    this.settle();
  }

  /** Everything on the way arrives, and so do the acknowledgements. */
  settle(): void {
    for (let round = 0; this.#waiting.length > 0; round += 1) {
      if (round > 10_000) throw new Error("The path never falls silent.");
      const arriving = this.#waiting;
      this.#waiting = [];
      for (const arrive of arriving) arrive();
    }
  }

  /** Time passes until the sender loses patience; false when it gives up. */
  wait(): boolean {
    this.now = this.sender.deadline;
    const goesOn = this.sender.onTimeout();
    this.settle();
    return goesOn;
  }

  acknowledge(window: number): void {
    this.window = window;
    const segment: TcpSegment = {
      sourcePort: 1,
      destinationPort: 2,
      sequence: 0,
      acknowledgement: this.#expected,
      flags: tcpFlag.ack,
      window,
      payload: new Uint8Array(0),
    };
    this.sender.acknowledge(segment);
    this.sender.transmit();
  }

  #take(flags: number, sequence: number, payload: Uint8Array): void {
    const room = this.window;
    if (payload.length > 0 && room > 0) this.#early.set(sequence, payload);
    for (let bytes = this.#fitting(); bytes.length > 0; bytes = this.#fitting()) {
      this.arrived.push(...bytes);
      this.#expected = plus(this.#expected, bytes.length);
    }
    if ((flags & tcpFlag.fin) !== 0 && sequence === this.#expected && !this.hasEnd) {
      this.hasEnd = true;
      this.#expected = plus(this.#expected, 1);
    }
    this.acknowledge(this.window);
  }

  /** What continues the bytes that have arrived. */
  #fitting(): Uint8Array {
    for (const [at, bytes] of this.#early) {
      const old = distance(at, this.#expected);
      if (old < bytes.length) return bytes.subarray(old);
    }
    return new Uint8Array(0);
  }
}

const data = Uint8Array.from({ length: 20_000 }, (_, at) => (at * 7) & 0xff);

/** Sends the data and its end; gives how often patience ran out. */
function transfer(path: Receiver): number {
  path.sender.push(data);
  path.sender.end();
  path.settle();
  let timeouts = 0;
  for (; !path.sender.isDone; timeouts += 1) {
    expect(timeouts).toBeLessThan(1000);
    expect(path.wait()).toBe(true);
  }
  expect(Uint8Array.from(path.arrived)).toEqual(data);
  expect(path.hasEnd).toBe(true);
  expect(path.sender.deadline).toBe(Infinity);
  return timeouts;
}

test("without losses everything comes, each byte sent once", () => {
  const path = new Receiver();
  expect(transfer(path)).toBe(0);
  expect(path.sent).toBe(1 + data.length / segmentBytes + 1);
});

test.each([
  ["one in the middle", (index: number) => index === 30],
  ["several of one window", (index: number) => [30, 32, 33, 38].includes(index)],
])("of %s that is lost only that is sent again, without waiting", (_, loses) => {
  const path = new Receiver();
  path.loses = loses;
  expect(transfer(path)).toBe(0);
  const lost = [...Array.from({ length: 60 }).keys()].filter((index) => loses(index)).length;
  expect(path.sent).toBe(1 + data.length / segmentBytes + 1 + lost);
});

test.each([
  ["the tail", (index: number) => index >= 195 && index <= 202],
  ["all of a flight", (index: number) => index > 160 && index < 202],
  ["every third segment", (index: number) => index % 3 === 2],
  ["what is sent again, too", (index: number) => index > 10 && index < 60 && index % 4 !== 0],
])("what comes after waiting when %s is lost is right", (_, loses) => {
  const path = new Receiver();
  path.loses = loses;
  expect(transfer(path)).toBeGreaterThan(0);
});

test("after a loss less is sent at once", () => {
  const path = new Receiver();
  path.loses = () => true;
  path.sender.push(data);
  expect(path.sent).toBe(1 + 10);
  path.wait();
  expect(path.sent).toBe(1 + 10 + 1);
  path.loses = () => false;
  path.wait();
  expect(Uint8Array.from(path.arrived)).toEqual(data);
});

test("a window that stays closed is asked for again and again, and opens", () => {
  const path = new Receiver();
  path.acknowledge(0);
  path.sender.push(data);
  expect(path.sent).toBe(1);
  for (let count = 0; count < 30; count += 1) expect(path.wait()).toBe(true);
  expect([path.arrived.length, path.sent]).toEqual([0, 31]);
  // The acknowledgement that opens it is lost; the next question finds it.
  path.window = 4000;
  path.wait();
  path.sender.end();
  for (let count = 0; !path.sender.isDone && count < 100; count += 1) path.wait();
  expect(Uint8Array.from(path.arrived)).toEqual(data);
});

test("acknowledgements of what was never sent change nothing", () => {
  const path = new Receiver();
  path.sender.push(data);
  const { next } = path.sender;
  for (const acknowledgement of [plus(next, 1), plus(next, 2 ** 31), plus(initialSequence, 0)]) {
    path.sender.acknowledge({
      sourcePort: 1,
      destinationPort: 2,
      sequence: 0,
      acknowledgement,
      flags: tcpFlag.ack,
      window: 0,
      payload: new Uint8Array(0),
    });
    expect(path.sender.next).toBe(next);
  }
  path.settle();
  expect(Uint8Array.from(path.arrived)).toEqual(data);
});
