/** The host's sockets, for a machine's network. */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import type { HostConnection, HostConnectionEvents, HostSockets } from "@ringside/machine";

/** Sockets of this process: the machine reaches what the process reaches. */
export function nodeSockets(): HostSockets {
  return {
    connect: openConnection,
    openDatagrams(onDatagram) {
      const socket = createSocket("udp4");
      socket.on("message", (bytes, { address, port }) => {
        onDatagram({ address, port, bytes: new Uint8Array(bytes) });
      });
      // What does not arrive is lost, as datagrams are. Node throws at who uses a closed socket.
      let isClosed = false;
      const close = (): void => {
        if (!isClosed) socket.close();
        isClosed = true;
      };
      socket.on("error", close);
      socket.unref();
      return {
        send: ({ address, port, bytes }) => {
          if (!isClosed) socket.send(bytes, port, address, () => {});
        },
        close,
      };
    },
    async resolve(name) {
      try {
        const found = await lookup(name, { family: 4, all: true });
        return found.map(({ address }) => address);
      } catch (error) {
        const isUnknown = error instanceof Error && "code" in error && error.code === "ENOTFOUND";
        if (isUnknown) return [];
        throw error;
      }
    },
  };
}

function openConnection(
  address: string,
  port: number,
  events: HostConnectionEvents,
): HostConnection {
  // Each direction ends on its own, as TCP has it.
  const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
  let isAborted = false;
  const unlessAborted =
    <T extends readonly unknown[]>(listener: (...values: T) => void) =>
    (...values: T): void => {
      if (!isAborted) listener(...values);
    };
  socket.on(
    "connect",
    unlessAborted(() => events.onOpen()),
  );
  socket.on(
    "data",
    unlessAborted((bytes: Buffer) => events.onData(new Uint8Array(bytes))),
  );
  socket.on(
    "drain",
    unlessAborted(() => events.onDrain()),
  );
  socket.on(
    "end",
    unlessAborted(() => events.onEnd()),
  );
  socket.on(
    "close",
    unlessAborted((isFailed: boolean) => events.onClose(isFailed)),
  );
  // "close" follows, and says that it failed.
  socket.on("error", () => {});
  return {
    get bufferedBytes() {
      return socket.writableLength;
    },
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    abort() {
      isAborted = true;
      socket.destroy();
    },
    setReading(isReading) {
      if (isReading) socket.resume();
      else socket.pause();
    },
  };
}
