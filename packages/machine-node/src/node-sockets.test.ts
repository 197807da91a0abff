/** Real sockets of the host, against servers on its loopback. */
import { createSocket } from "node:dgram";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { HostDatagram } from "@ringside/machine";
import { nodeSockets } from "./node-sockets.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (characters: string): Uint8Array => new TextEncoder().encode(characters);
let server: Server;
let port: number;

beforeEach(async () => {
  // Answers when the other side has ended, which needs each direction to end on its own.
  server = createServer({ allowHalfOpen: true }, (socket) => {
    let said = "";
    socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
    socket.on("end", () => socket.end(`you said ${said}`));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(() => new Promise<void>((resolve) => void server.close(() => resolve())));

test("a connection carries bytes both ways, and each way ends on its own", async () => {
  const log: string[] = [];
  await new Promise<void>((resolve) => {
    const connection = nodeSockets().connect("127.0.0.1", port, {
      onOpen: () => {
        log.push("open");
        connection.write(bytesOf("hello"));
        connection.end();
      },
      onData: (bytes) => log.push(text(bytes)),
      onDrain: () => {},
      onEnd: () => log.push("end"),
      onClose: (isFailed) => {
        log.push(`closed ${isFailed}`);
        resolve();
      },
    });
  });
  expect(log).toEqual(["open", "you said hello", "end", "closed false"]);
});

test("a port where nobody listens is a failure, and an abort is silent", async () => {
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  const failed = await new Promise<boolean>((resolve) => {
    nodeSockets().connect("127.0.0.1", port, {
      onOpen: () => {},
      onData: () => {},
      onDrain: () => {},
      onEnd: () => {},
      onClose: resolve,
    });
  });
  expect(failed).toBe(true);
  server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
});

test("datagrams go and come", async () => {
  const echo = createSocket("udp4");
  echo.on("message", (bytes, { port: back, address }) =>
    echo.send(`echo ${bytes.toString()}`, back, address),
  );
  await new Promise<void>((resolve) => void echo.bind(0, "127.0.0.1", resolve));
  const answer = await new Promise<HostDatagram>((resolve) => {
    const socket = nodeSockets().openDatagrams((datagram) => {
      socket.close();
      resolve(datagram);
    });
    socket.send({ address: "127.0.0.1", port: echo.address().port, bytes: bytesOf("hi") });
  });
  echo.close();
  expect([answer.address, text(answer.bytes)]).toEqual(["127.0.0.1", "echo hi"]);
});

test("a socket for datagrams that is closed does nothing any more", () => {
  const socket = nodeSockets().openDatagrams(() => {});
  const datagram = { address: "127.0.0.1", port, bytes: bytesOf("hi") };
  socket.close();
  expect(() => {
    socket.send(datagram);
    socket.close();
  }).not.toThrow();
});

test("names are the host's", async () => {
  expect(await nodeSockets().resolve("localhost")).toContain("127.0.0.1");
});
