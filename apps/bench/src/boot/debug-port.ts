/** `--gdb`: a TCP port at which a debugger finds the machine. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { InvalidArgumentError } from "commander";
import { GdbServer, type Connection } from "@ringside/gdb";
import type { Exit, VirtualMachine } from "@ringside/strategy";
import { CommandError } from "../failure.ts";
import type { MachineLoop } from "./machine-loop.ts";

/** Where to listen. */
export interface DebugPort {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/** A debugger can do anything with the guest, so only this machine's are let in unless an address says otherwise. */
const defaultHost = "127.0.0.1";
const portMaximum = 0xffff;

/** `1234`, `0.0.0.0:1234`, `[::1]:1234`. @throws {InvalidArgumentError} Anything else. */
export function parseDebugPort(text: string): DebugPort {
  const [, bracketed, plain, digits = ""] =
    /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/u.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > portMaximum)
    throw new InvalidArgumentError(
      "Give a port such as 1234, or an address and a port: [::1]:1234.",
    );
  return { host: bracketed ?? plain ?? defaultHost, port };
}

/** The machine was ended by its debugger, or by a request from elsewhere. */
export type DebuggedExit = Exit | { readonly reason: "killed" };

/**
 * Runs a machine as the debuggers at a port say, until it ends. It waits for the first one before its first instruction.
 *
 * @throws {CommandError} The port cannot be had, or the strategy's machines have no debugger.
 */
export async function runDebugged(
  machine: VirtualMachine,
  loop: MachineLoop,
  where: DebugPort,
): Promise<DebuggedExit> {
  if (machine.debug === undefined) {
    throw new CommandError(
      `The strategy "${machine.strategy}" has no debugger yet. Leave --gdb out, or take --strategy bare.`,
    );
  }
  const gdb = new GdbServer({
    machine,
    run: () => loop.run(),
    interrupt: () => loop.pause(),
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    gdb.attach(connectionOf(socket));
  });
  const { address, port } = await listening(server, where);
  const target = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  process.stderr.write(`ringside: waiting for gdb: target remote ${target}\n`);
  try {
    const ended = loop.ended.then((): Exit => ({ reason: "stopped" }));
    return await Promise.race([gdb.serve(), ended]);
  } finally {
    gdb.close();
    server.close();
    for (const socket of sockets) socket.end();
  }
}

function listening(server: Server, { host, port }: DebugPort): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.on("error", (error) => {
      const code = "code" in error ? String(error.code) : error.message;
      reject(
        new CommandError(
          `gdb cannot be waited for at ${host}, port ${port} (${code}).`,
          undefined,
          {
            cause: error,
          },
        ),
      );
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      if (address === null || typeof address === "string")
        throw new Error("Bug in ringside: a TCP server without an address, please report.");
      resolve(address);
    });
  });
}

/** A socket as a connection of the protocol. */
export function connectionOf(socket: Socket): Connection {
  socket.setNoDelay(true);
  const connection: Connection = {
    listener: undefined,
    send(bytes) {
      if (socket.writable) socket.write(bytes);
    },
    close() {
      socket.end();
    },
  };
  socket.on("data", (bytes) => connection.listener?.bytes(bytes));
  // "close" follows, and says what there is to know: the other side is gone.
  socket.on("error", () => undefined);
  socket.on("close", () => connection.listener?.closed());
  return connection;
}
