/** Linux, include/uapi/linux/fuse.h: requests made by hand, as the kernel's driver makes them. */
import { beforeEach, describe, expect, test } from "vitest";
import { FuseServer } from "./fuse-server.ts";
import { MemoryFolder } from "./memory-folder.ts";
import { opcode } from "./messages.ts";

const root = 1;
let server: FuseServer;

beforeEach(() => {
  const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
  server = new FuseServer(
    new MemoryFolder(
      new Map([
        ["hello", bytesOf("hello there")],
        ["sub/inner", bytesOf("inside")],
        ["sub/other", bytesOf("")],
      ]),
    ),
  );
});

interface Reply {
  readonly error: number;
  readonly body: DataView;
}

function ask(operation: number, node: number, body: Uint8Array = new Uint8Array(0)): Reply {
  const reply = raw(operation, node, body);
  if (reply === undefined) throw new Error("There was no reply.");
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  expect([view.getUint32(0, true), view.getBigUint64(8, true)]).toEqual([reply.length, 99n]);
  return {
    error: Math.abs(view.getInt32(4, true)),
    body: new DataView(reply.buffer, reply.byteOffset + 16),
  };
}

function raw(operation: number, node: number, body: Uint8Array): Uint8Array | undefined {
  const message = new Uint8Array(40 + body.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint32(4, operation, true);
  view.setBigUint64(8, 99n, true);
  view.setBigUint64(16, BigInt(node), true);
  message.set(body, 40);
  return server.answer(message);
}

const nameOf = (name: string): Uint8Array => new TextEncoder().encode(`${name}\0`);
const words = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(Uint32Array.from(values).buffer);

function lookup(parent: number, name: string): number {
  const { error, body } = ask(opcode.lookup, parent, nameOf(name));
  return error === 0 ? Number(body.getBigUint64(0, true)) : -error;
}

function read(node: number, offset: number, size: number): string {
  const handle = ask(opcode.open, node, words(0, 0)).body.getUint32(0, true);
  const { body } = ask(opcode.read, node, words(handle, 0, offset, 0, size, 0, 0, 0, 0, 0));
  return new TextDecoder().decode(body);
}

describe("FUSE", () => {
  test("agrees on 7.31 with a newer driver, and not with an older one", () => {
    const { error, body } = ask(opcode.init, 0, words(7, 38, 131_072, 0));
    expect([error, body.getUint32(0, true), body.getUint32(4, true)]).toEqual([0, 7, 31]);
    expect(ask(opcode.init, 0, words(7, 12, 0, 0)).error).toBe(22);
  });

  test("finds files and reads them", () => {
    const hello = lookup(root, "hello");
    expect(hello).toBeGreaterThan(root);
    expect(lookup(root, "hello")).toBe(hello);
    expect([read(hello, 0, 100), read(hello, 6, 3), read(hello, 100, 5)]).toEqual([
      "hello there",
      "the",
      "",
    ]);
    expect(read(lookup(lookup(root, "sub"), "inner"), 0, 10)).toBe("inside");
  });

  test("tells size and type", () => {
    const { body } = ask(opcode.getattr, lookup(root, "hello"), words(0, 0, 0, 0));
    expect([body.getUint32(16 + 8, true), body.getUint32(16 + 60, true)]).toEqual([11, 0o100_644]);
    const folder = ask(opcode.getattr, root, words(0, 0, 0, 0)).body;
    expect(folder.getUint32(16 + 60, true)).toBe(0o040_755);
  });

  test("lists folders, going on where the room ended", () => {
    const handle = ask(opcode.opendir, root, words(0, 0)).body.getUint32(0, true);
    const names: string[] = [];
    for (let offset = 0; ;) {
      const { body } = ask(opcode.readdir, root, words(handle, 0, offset, 0, 32, 0));
      if (body.byteLength === 0) break;
      const length = body.getUint32(16, true);
      names.push(
        new TextDecoder().decode(new Uint8Array(body.buffer, body.byteOffset + 24, length)),
      );
      offset = body.getUint32(8, true);
    }
    expect(names).toEqual(["hello", "sub"]);
  });

  test.each([
    ["a name that is not there", "none", 2],
    ["the parent", "..", 22],
    ["the folder itself", ".", 22],
    ["a path", "sub/inner", 22],
    ["no name", "", 22],
    ["a name too long", "x".repeat(256), 36],
  ])("gives for %s an error", (_, name, error) => {
    expect(lookup(root, name)).toBe(-error);
  });

  test("finds nothing in a file, and nothing by a number that it never gave", () => {
    expect(lookup(lookup(root, "hello"), "x")).toBe(-20);
    expect(ask(opcode.getattr, 12_345, words(0, 0, 0, 0)).error).toBe(2);
    expect(ask(opcode.read, root, words(77, 0, 0, 0, 10, 0, 0, 0, 0, 0)).error).toBe(9);
  });

  test("changes nothing", () => {
    const hello = lookup(root, "hello");
    expect(ask(opcode.open, hello, words(2, 0)).error).toBe(30);
    for (const changing of [4, 9, 10, 16, 35]) {
      expect(ask(changing, root, nameOf("hello")).error).toBe(30);
    }
    expect(ask(999, root).error).toBe(38);
  });

  test("forgets without a word, one by one and in batches", () => {
    const hello = lookup(root, "hello");
    lookup(root, "hello");
    expect(raw(opcode.forget, hello, words(1, 0))).toBeUndefined();
    expect(ask(opcode.getattr, hello, words(0, 0, 0, 0)).error).toBe(0);
    expect(raw(opcode.batchForget, 0, words(1, 0, hello, 0, 1, 0))).toBeUndefined();
    expect(ask(opcode.getattr, hello, words(0, 0, 0, 0)).error).toBe(2);
    raw(opcode.forget, root, words(100, 0));
    expect(lookup(root, "hello")).toBeGreaterThan(hello);
  });

  test("every cut of every request is answered with an error or nothing", () => {
    const node = lookup(root, "hello");
    for (const operation of Object.values(opcode)) {
      for (let length = 0; length < 48; length += 1) {
        expect(() => raw(operation, node, new Uint8Array(length).fill(0xff))).not.toThrow();
      }
    }
    expect(() => server.answer(new Uint8Array(10))).not.toThrow();
  });
});

test.each(["", "a/../b", "..", "a/b/.."])("%j is no path of a file in memory", (path) => {
  expect(() => new MemoryFolder(new Map([[path, new Uint8Array(1)]]))).toThrow(RangeError);
});
