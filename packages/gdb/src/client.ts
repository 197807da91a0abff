/**
 * A debugger in a program: reads and drives a machine through its stub, such as QEMU's.
 *
 * Debugging with GDB, appendix E "GDB Remote Serial Protocol". Requests are answered one after the other.
 */
import type { Connection } from "./connection.ts";
import { GdbError } from "./gdb-error.ts";
import { bytesOfHex, hexOfBytes, hexOfValue, valueOfHex } from "./hex.ts";
import { encodePacket, PacketReader } from "./packet.ts";
import { describedRegisters, type DescribedRegister } from "./target-description.ts";

/** Why the machine stopped. */
export type StopReply =
  | { readonly kind: "stopped"; /** As gdb numbers them. */ readonly signal: number }
  | { readonly kind: "ended"; readonly status: number };

const documentBytesMaximum = 1 << 20;
const pieceBytes = 0x400;

export class GdbClient {
  readonly #connection: Connection;
  readonly #reader = new PacketReader(1 << 20);
  readonly #waiting: {
    readonly resolve: (data: string) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  readonly #early: string[] = [];
  #last: Uint8Array | undefined;
  #acknowledges = true;
  #closed = false;
  #registers: readonly (DescribedRegister | undefined)[] = [];

  private constructor(connection: Connection) {
    this.#connection = connection;
    connection.listener = {
      bytes: (bytes) => this.#receive(bytes),
      closed: () => this.#end(),
    };
  }

  /**
   * Greets the stub and learns what registers it has.
   *
   * @throws {GdbError} It is none, or has no target description.
   */
  static async connect(connection: Connection): Promise<GdbClient> {
    const client = new GdbClient(connection);
    const features = await client.request("qSupported:qXfer:features:read+;xmlRegisters=i386");
    if (features.includes("QStartNoAckMode+")) {
      if ((await client.request("QStartNoAckMode")) === "OK") client.#acknowledges = false;
    }
    if (!features.includes("qXfer:features:read+"))
      throw new GdbError(`The stub describes no registers; it supports "${features}".`);
    const document = await client.#document("target.xml");
    client.#registers = await describedRegisters(document, (name) => client.#document(name));
    return client;
  }

  /** Sends one request and gives its reply. */
  request(data: string): Promise<string> {
    this.#send(data);
    return this.#reply();
  }

  /** All registers, by the stub's names. */
  async registers(): Promise<ReadonlyMap<string, bigint>> {
    const text = await this.request("g");
    const values = new Map<string, bigint>();
    let at = 0;
    for (const [number, register] of this.#registers.entries()) {
      if (register === undefined) continue;
      const digits = Math.ceil(register.bits / 8) * 2;
      const piece = text.slice(at, at + digits);
      at += digits;
      // What a stub leaves out of its list, at the end, is to be asked for one by one.
      const value = valueOfHex(
        piece.length === digits ? piece : await this.request(`p${number.toString(16)}`),
      );
      if (value !== undefined) values.set(register.name, value);
    }
    return values;
  }

  /** Replaces a register by the low bits of `value`. @throws {GdbError} The stub has none of that name, or refuses. */
  async writeRegister(name: string, value: bigint): Promise<void> {
    const number = this.#registers.findIndex((register) => register?.name === name);
    const { bits = 0 } = this.#registers[number] ?? {};
    const reply = await this.request(`P${number.toString(16)}=${hexOfValue(value, bits)}`);
    if (reply !== "OK")
      throw new GdbError(`The stub answered "${reply}" to a write of ${name}; expected OK.`);
  }

  /** @throws {GdbError} The stub refuses, as where memory is not mapped. */
  async writeMemory(linear: bigint, bytes: Uint8Array): Promise<void> {
    const place = `${linear.toString(16)},${bytes.length.toString(16)}`;
    const reply = await this.request(`M${place}:${hexOfBytes(bytes)}`);
    if (reply !== "OK")
      throw new GdbError(`The stub answered "${reply}" to a write of ${place}; expected OK.`);
  }

  /** Undefined when any byte of the range is not mapped. */
  async readMemory(linear: bigint, lengthBytes: number): Promise<Uint8Array | undefined> {
    const reply = await this.request(`m${linear.toString(16)},${lengthBytes.toString(16)}`);
    const bytes = bytesOfHex(reply);
    return bytes?.length === lengthBytes ? bytes : undefined;
  }

  /** One instruction. */
  async step(): Promise<StopReply> {
    return stopReply(await this.request("vCont;s:1"));
  }

  /** Until the machine stops by itself. */
  async continue(): Promise<StopReply> {
    return stopReply(await this.request("vCont;c"));
  }

  /** Stops before the instruction at a linear address, or does not any more. */
  async setBreakpoint(linear: bigint, set: boolean): Promise<void> {
    const request = `${set ? "Z" : "z"}1,${linear.toString(16)},1`;
    const reply = await this.request(request);
    if (reply !== "OK")
      throw new GdbError(`The stub answered "${reply}" to "${request}"; expected OK.`);
  }

  /** Stops a machine that was told to continue. */
  interrupt(): void {
    this.#connection.send(Uint8Array.of(3));
  }

  close(): void {
    this.#connection.close();
  }

  async #document(name: string): Promise<string> {
    let text = "";
    for (;;) {
      const place = `${text.length.toString(16)},${pieceBytes.toString(16)}`;
      const reply = await this.request(`qXfer:features:read:${name}:${place}`);
      if (reply[0] !== "m" && reply[0] !== "l")
        throw new GdbError(`The stub has no document ${name}: it answered "${reply}".`);
      text += reply.slice(1);
      if (reply[0] === "l") return text;
      if (reply.length === 1 || text.length > documentBytesMaximum)
        throw new GdbError(`The stub's document ${name} does not end.`);
    }
  }

  #send(data: string): void {
    this.#last = encodePacket(data);
    this.#connection.send(this.#last);
  }

  #reply(): Promise<string> {
    const early = this.#early.shift();
    if (early !== undefined) return Promise.resolve(early);
    if (this.#closed) return Promise.reject(new GdbError("The stub has closed the connection."));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  #receive(bytes: Uint8Array): void {
    for (const event of this.#reader.push(bytes)) {
      if (event.kind === "refused" && this.#last !== undefined) this.#connection.send(this.#last);
      if (event.kind === "damaged" && this.#acknowledges)
        this.#connection.send(Uint8Array.of(0x2d));
      if (event.kind !== "packet") continue;
      if (this.#acknowledges) this.#connection.send(Uint8Array.of(0x2b));
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#early.push(event.data);
      else waiting.resolve(event.data);
    }
  }

  #end(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0))
      reject(new GdbError("The stub has closed the connection."));
  }
}

function stopReply(text: string): StopReply {
  const number = Number.parseInt(text.slice(1, 3), 16);
  if (!Number.isNaN(number)) {
    if (text[0] === "T" || text[0] === "S") return { kind: "stopped", signal: number };
    if (text[0] === "W" || text[0] === "X") return { kind: "ended", status: number };
  }
  throw new GdbError(`The stub answered "${text}"; expected why the machine stopped.`);
}
