/**
 * A stub: drives a virtual machine as a debugger says.
 *
 * Debugging with GDB, appendix E "GDB Remote Serial Protocol". One debugger at a time; when it goes away the guest goes
 * on without its breakpoints, and another one may come, for which the guest stops. A step that meets an interrupt runs
 * its handler to the end, so that a debugger follows the program and not what interrupts it.
 */
import { countAt, isFinal, shellStatus, type Exit, type VirtualMachine } from "@ringside/strategy";
import type { Connection } from "./connection.ts";
import { hexOfValue } from "./hex.ts";
import { encodePacket, PacketReader } from "./packet.ts";
import { RequestHandler, type Resume } from "./request-handler.ts";

export interface GdbServerOptions {
  /** A machine with a debugger (`machine.debug`). */
  readonly machine: VirtualMachine;
  /** Runs it until it ends or is paused; called again after each pause. */
  readonly run: () => Promise<Exit>;
  /** Makes {@link run} come back with `paused` soon. */
  readonly interrupt: () => void;
}

/** Why the machine is not going to run any more. */
export type ServedExit = Exit | { readonly reason: "killed" };

/** Signals by gdb's numbers. */
const signal = { interrupt: "02", trap: "05", abort: "06" } as const;
/** Instructions of an interrupt's handler that a step runs at most. */
const handlerUnitsMaximum = 10_000_000;

export class GdbServer {
  readonly #options: GdbServerOptions;
  readonly #handler: RequestHandler;
  #connection: Connection | undefined;
  #reader = new PacketReader();
  /** The last packet, to be sent again when it was refused. */
  #last: Uint8Array | undefined;
  #acknowledges = true;
  #running = false;
  #over = false;
  /** How the machine goes on, once a debugger has said it. */
  #resume: Resume | undefined;
  #wake: (() => void) | undefined;
  #stopReply = `T${signal.trap}thread:01;`;

  /** @throws {RangeError} The machine has no debugger. */
  constructor(options: GdbServerOptions) {
    const { machine } = options;
    if (machine.debug === undefined) {
      throw new RangeError(
        `[ringside/gdb] A machine of "${machine.strategy}" has no debugger. Take a strategy whose machines have one, such as bare.`,
      );
    }
    this.#options = options;
    this.#handler = new RequestHandler({
      machine,
      debug: machine.debug,
      stopReply: () => this.#stopReply,
      startNoAcknowledgements: () => {
        this.#acknowledges = false;
      },
      resume: (how) => this.#goOn(how),
    });
  }

  /** Whether a debugger is there. */
  get isAttached(): boolean {
    return this.#connection !== undefined;
  }

  /** Gives the machine to a debugger. A second one is sent away. */
  attach(connection: Connection): void {
    if (this.#connection !== undefined || this.#over) {
      connection.close();
      return;
    }
    this.#connection = connection;
    this.#reader = new PacketReader();
    this.#last = undefined;
    this.#acknowledges = true;
    connection.listener = {
      bytes: (bytes) => this.#receive(bytes),
      closed: () => this.#detached(connection),
    };
    if (this.#running) this.#options.interrupt();
  }

  /** Runs the machine under its debuggers until it ends. It begins stopped, and waits for the first one. */
  async serve(): Promise<ServedExit> {
    for (;;) {
      const how = await this.#nextResume();
      if (how === "kill") return { reason: "killed" };
      const exit = how === "step" ? this.#step() : await this.#options.run();
      this.#running = false;
      if (exit.reason === "crashed") {
        // The debugger may look at what is left before it lets go.
        this.#report(`T${signal.abort}thread:01;`);
        if (this.isAttached && (await this.#nextResume()) === "kill") return { reason: "killed" };
        this.#report(`X${signal.abort}`);
        return exit;
      }
      if (isFinal(exit)) {
        this.#report(`W${hexOfValue(BigInt(statusOf(exit)), 8)}`);
        return exit;
      }
      if (this.isAttached) this.#report(stopReplyOf(exit));
      else this.#goOn("continue");
    }
  }

  /** Lets go of the machine, which is not touched any more, and of its debugger. */
  close(): void {
    this.#over = true;
    this.#connection?.close();
  }

  /** One instruction, and the handlers of interrupts that come before it. */
  #step(): Exit {
    const { machine } = this.#options;
    const delivered = (): number => countAt(machine.counts(), "interrupts");
    const place = (): bigint => machine.inspect.registers()["rip"] ?? 0n;
    const before = delivered();
    const rip = place();
    const exit = machine.run(1);
    if (exit.reason !== "limit" || delivered() === before) return exit;
    for (let units = 0; units < handlerUnitsMaximum && place() !== rip; units += 1) {
      const inside = machine.run(1);
      if (inside.reason !== "limit") return inside;
    }
    return place() === rip ? machine.run(1) : { reason: "limit" };
  }

  #nextResume(): Promise<Resume> {
    const ready = this.#resume;
    this.#resume = undefined;
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve) => {
      this.#wake = () => {
        const how = this.#resume ?? "continue";
        this.#resume = undefined;
        resolve(how);
      };
    });
  }

  #goOn(how: Resume): void {
    this.#resume = how;
    if (how !== "kill") this.#running = true;
    else if (this.#running) this.#options.interrupt();
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #report(reply: string): void {
    this.#stopReply = reply;
    this.#send(reply);
  }

  #receive(bytes: Uint8Array): void {
    for (const event of this.#reader.push(bytes)) {
      switch (event.kind) {
        case "interrupt":
          if (this.#running) this.#options.interrupt();
          break;
        case "refused":
          if (this.#last !== undefined) this.#connection?.send(this.#last);
          break;
        case "acknowledged":
          break;
        case "damaged":
          if (this.#acknowledges) this.#connection?.send(Uint8Array.of(0x2d));
          break;
        case "packet":
          if (this.#acknowledges) this.#connection?.send(Uint8Array.of(0x2b));
          this.#answer(event.data);
      }
    }
  }

  #answer(request: string): void {
    if (this.#over) return;
    // While the guest runs a debugger may only interrupt; what it asks else is from before it knew.
    if (this.#running) {
      if (request === "k") this.#goOn("kill");
      return;
    }
    const reply = this.#handler.answer(request);
    if (reply !== undefined) this.#send(reply);
    if (request.startsWith("D")) this.#connection?.close();
  }

  #send(data: string): void {
    if (this.#connection === undefined) return;
    this.#last = encodePacket(data);
    this.#connection.send(this.#last);
  }

  #detached(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (this.#running || this.#over) return;
    this.#handler.removeStops();
    this.#goOn("continue");
  }
}

/** What a guest that came to an end of its own ended with. */
function statusOf(exit: Exit): number {
  if (exit.reason === "exited") return shellStatus(exit.status);
  return exit.reason === "halted" ? (exit.value ?? 0) : 0;
}

function stopReplyOf(exit: Exit): string {
  if (exit.reason !== "paused") return `T${signal.trap}thread:01;`;
  const { hit } = exit;
  if (hit === undefined) return `T${signal.interrupt}thread:01;`;
  if (hit.kind === "breakpoint") return `T${signal.trap}thread:01;`;
  const kind = { write: "watch", read: "rwatch", access: "awatch" }[hit.access];
  return `T${signal.trap}${kind}:${hit.linear.toString(16)};thread:01;`;
}
