/** What a stub answers to each request of a debugger while the machine is stopped. */
import type { Debugger, VirtualMachine, Watchpoint } from "@ringside/strategy";
import { bytesOfHex, hexOfBytes, hexOfValue, parseHex, valueOfHex } from "./hex.ts";
import { targetRegisters, targetXml, type TargetRegister } from "./target-registers.ts";

/** How the debugger lets the machine go on. */
export type Resume = "continue" | "step" | "kill";

export interface RequestHandlerOptions {
  readonly machine: VirtualMachine;
  readonly debug: Debugger;
  /** Why the machine stopped last. */
  readonly stopReply: () => string;
  readonly startNoAcknowledgements: () => void;
  readonly resume: (how: Resume) => void;
}

const ok = "OK";
/** A request that is known and cannot be done; numbers have no meaning of their own. */
const failed = { malformed: "E01", unmapped: "E14", unknownRegister: "E16" } as const;
/** Not supported, in the protocol's terms. */
const unknown = "";
/** Longest packet that a debugger may send, and so the most memory that it asks for at once. */
const packetBytes = 0x1_0000;
/** The largest number of bytes that a watchpoint covers. */
const watchedBytesMaximum = 4096n;

export class RequestHandler {
  readonly #options: RequestHandlerOptions;
  readonly #breakpoints = new Set<bigint>();
  readonly #watchpoints = new Map<string, Watchpoint>();

  constructor(options: RequestHandlerOptions) {
    this.#options = options;
  }

  /** The reply; undefined when it follows once the machine stops again. */
  answer(request: string): string | undefined {
    const rest = request.slice(1);
    switch (request[0]) {
      case "?":
        return this.#options.stopReply();
      case "g":
        return this.#readAll();
      case "G":
        return this.#writeAll(rest);
      case "p":
        return this.#readOne(rest);
      case "P":
        return this.#writeOne(rest);
      case "m":
        return this.#readMemory(rest);
      case "M":
        return this.#writeMemory(rest, bytesOfHex);
      case "X":
        return this.#writeMemory(rest, (data) =>
          Uint8Array.from(data, (character) => character.charCodeAt(0)),
        );
      case "Z":
        return this.#changeStop(rest, true);
      case "z":
        return this.#changeStop(rest, false);
      case "c":
      case "s":
        return this.#goOnAt(request[0] === "s" ? "step" : "continue", rest);
      case "C":
      case "S":
        return this.#goOnAt(request[0] === "S" ? "step" : "continue", rest.split(";")[1] ?? "");
      case "v":
        return this.#answerV(request);
      case "q":
        return query(request);
      case "Q":
        if (request !== "QStartNoAckMode") return unknown;
        this.#options.startNoAcknowledgements();
        return ok;
      case "H":
      case "T":
        return ok; // There is one thread: the processor.
      case "D":
        this.removeStops();
        return ok;
      case "k":
        this.#options.resume("kill");
        return undefined;
      default:
        return unknown;
    }
  }

  /** Forgets all breakpoints and watchpoints. */
  removeStops(): void {
    this.#breakpoints.clear();
    this.#watchpoints.clear();
    this.#applyStops();
  }

  #readAll(): string {
    const values = this.#options.debug.registers();
    return targetRegisters
      .map(({ source, bits }) => hexOfValue(values[source] ?? 0n, bits))
      .join("");
  }

  #writeAll(text: string): string {
    let at = 0;
    for (const register of targetRegisters) {
      const digits = text.slice(at, at + register.bits / 4);
      at += register.bits / 4;
      const value = valueOfHex(digits);
      if (value === undefined || digits.length !== register.bits / 4) return failed.malformed;
      this.#write(register, value);
    }
    return ok;
  }

  #readOne(text: string): string {
    const register = targetRegisters[Number(parseHex(text) ?? -1n)];
    if (register === undefined) return failed.unknownRegister;
    return hexOfValue(this.#options.debug.registers()[register.source] ?? 0n, register.bits);
  }

  #writeOne(text: string): string {
    const [number, digits = ""] = text.split("=");
    const register = targetRegisters[Number(parseHex(number) ?? -1n)];
    const value = valueOfHex(digits);
    if (register === undefined || value === undefined) return failed.unknownRegister;
    return this.#write(register, value) ? ok : failed.unknownRegister;
  }

  #write({ source }: TargetRegister, value: bigint): boolean {
    return this.#options.debug.writeRegister(source, value);
  }

  #readMemory(text: string): string {
    const range = rangeOf(text);
    if (range === undefined) return failed.malformed;
    // A debugger takes less than it asked for where the rest is not mapped.
    for (let { length } = range; length > 0; length = shorter(range.linear, length)) {
      const bytes = this.#options.machine.inspect.readMemory(range.linear, length);
      if (bytes !== undefined) return hexOfBytes(bytes);
    }
    return range.length === 0 ? "" : failed.unmapped;
  }

  #writeMemory(text: string, decode: (data: string) => Uint8Array | undefined): string {
    const colon = text.indexOf(":");
    const range = colon < 0 ? undefined : rangeOf(text.slice(0, colon));
    const bytes = decode(text.slice(colon + 1));
    if (range === undefined || bytes?.length !== range.length) return failed.malformed;
    return this.#options.debug.writeMemory(range.linear, bytes) ? ok : failed.unmapped;
  }

  #changeStop(text: string, set: boolean): string {
    const [type = "", address, kind] = text.split(",");
    const linear = parseHex(address);
    const size = parseHex(kind?.split(";")[0]);
    if (linear === undefined || size === undefined) return failed.malformed;
    if (type === "0" || type === "1") {
      if (set) this.#breakpoints.add(linear);
      else this.#breakpoints.delete(linear);
    } else {
      const access = ({ "2": "write", "3": "read", "4": "access" } as const)[type];
      if (access === undefined) return unknown;
      if (size < 1n || size > watchedBytesMaximum) return failed.malformed;
      const key = `${type},${linear},${size}`;
      if (set) this.#watchpoints.set(key, { linear, lengthBytes: Number(size), access });
      else this.#watchpoints.delete(key);
    }
    this.#applyStops();
    return ok;
  }

  #applyStops(): void {
    this.#options.debug.setStops({
      breakpoints: this.#breakpoints,
      watchpoints: [...this.#watchpoints.values()],
    });
  }

  #goOnAt(how: Resume, address: string): string | undefined {
    if (address !== "") {
      const rip = parseHex(address);
      if (rip === undefined) return failed.malformed;
      this.#options.debug.writeRegister("rip", rip);
    }
    this.#options.resume(how);
    return undefined;
  }

  #answerV(request: string): string | undefined {
    if (request === "vCont?") return "vCont;c;C;s;S";
    if (!request.startsWith("vCont;")) return unknown;
    // The first action whose thread fits wins, and all fit the only one.
    const action = request.slice("vCont;".length).split(/[;:]/u)[0] ?? "";
    if (/^[cC]/u.test(action)) return this.#goOnAt("continue", "");
    if (/^[sS]/u.test(action)) return this.#goOnAt("step", "");
    return failed.malformed;
  }
}

function query(request: string): string {
  if (request.startsWith("qSupported"))
    return `PacketSize=${packetBytes.toString(16)};qXfer:features:read+;vContSupported+;QStartNoAckMode+`;
  const features = /^qXfer:features:read:target\.xml:([0-9a-f]+),([0-9a-f]+)$/u.exec(request);
  if (features !== null) {
    const [, from, length] = features;
    const start = Number(parseHex(from) ?? 0n);
    const piece = targetXml.slice(start, start + Number(parseHex(length) ?? 0n));
    return `${start + piece.length < targetXml.length ? "m" : "l"}${piece}`;
  }
  if (request.startsWith("qXfer:")) return "E00";
  if (request.startsWith("qThreadExtraInfo")) {
    return hexOfBytes(new TextEncoder().encode("virtual processor"));
  }
  switch (request) {
    case "qC":
      return "QC01";
    case "qfThreadInfo":
      return "m01";
    case "qsThreadInfo":
      return "l";
    case "qAttached":
      return "1";
    case "qSymbol::":
      return ok;
    default:
      return unknown;
  }
}

function rangeOf(text: string): { readonly linear: bigint; readonly length: number } | undefined {
  const [address, size] = text.split(",");
  const linear = parseHex(address);
  const length = parseHex(size);
  if (linear === undefined || length === undefined) return undefined;
  // What a reply of the longest packet can hold.
  const limit = BigInt(packetBytes / 2 - 8);
  return { linear, length: Number(length < limit ? length : limit) };
}

/** Without the last page that a range reaches into; 0 when it reaches into no other. */
function shorter(linear: bigint, length: number): number {
  const lastPage = (linear + BigInt(length) - 1n) & ~0xfffn;
  return Math.max(Number(lastPage - linear), 0);
}
