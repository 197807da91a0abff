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
    expect(names).toEqual([".", "..", "hello", "sub"]);
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

describe("what the server holds has an end", () => {
  test("open files and folders", () => {
    const hello = lookup(root, "hello");
    for (let index = 0; index < 4095; index += 1) {
      expect(ask(opcode.open, hello, words(0, 0)).error).toBe(0);
    }
    const last = ask(opcode.opendir, root, words(0, 0));
    expect(last.error).toBe(0);
    expect(ask(opcode.open, hello, words(0, 0)).error).toBe(23);
    expect(ask(opcode.opendir, root, words(0, 0)).error).toBe(23);
    ask(opcode.releasedir, root, words(last.body.getUint32(0, true), 0));
    expect(ask(opcode.open, hello, words(0, 0)).error).toBe(0);
  });

  test("names in the folders being read", () => {
    const names = Array.from({ length: 1 << 19 }, () => "x");
    class LargeFolder extends MemoryFolder {
      override list(): readonly string[] {
        return names;
      }
    }
    server = new FuseServer(new LargeFolder(new Map()));
    const open = (): Reply => ask(opcode.opendir, root, words(0, 0));
    const [first, second] = [open(), open()];
    expect([first.error, second.error, open().error]).toEqual([0, 0, 12]);
    const handle = first.body.getUint32(0, true);
    ask(opcode.releasedir, root, words(handle, 0));
    ask(opcode.releasedir, root, words(handle, 0));
    expect([open().error, open().error]).toEqual([0, 12]);
    server.reset();
    expect([open().error, open().error, open().error]).toEqual([0, 0, 12]);
  });
});

test("a folder for reading has no room", () => {
  const { body } = ask(opcode.statfs, root);
  expect([body.getBigUint64(8, true), body.getBigUint64(16, true)]).toEqual([0n, 0n]);
});

describe("FUSE on a folder that may be changed", () => {
  let folder: MemoryFolder;
  const text = (path: string): string => new TextDecoder().decode(folder.bytesOf(path));

  beforeEach(() => {
    const files = new Map([
      ["hello", new TextEncoder().encode("hello there")],
      ["sub/inner", new TextEncoder().encode("inside")],
    ]);
    folder = new MemoryFolder(files, { writable: true });
    server = new FuseServer(folder);
  });

  const after = (fields: readonly number[], ...names: readonly string[]): Uint8Array =>
    Uint8Array.of(...words(...fields), ...names.flatMap((name) => [...nameOf(name)]));
  const write = (handle: number, offset: number, content: string): Reply =>
    ask(
      opcode.write,
      root,
      Uint8Array.of(
        ...words(handle, 0, offset, 0, content.length, 0, 0, 0, 0, 0),
        ...new TextEncoder().encode(content),
      ),
    );

  test("has room, as much as the folder says", () => {
    const { body } = ask(opcode.statfs, root);
    const words64 = [0, 8, 16].map((at) => Number(body.getBigUint64(at, true)));
    expect(words64.map((pages) => pages * body.getUint32(40, true))).toEqual(
      [1, 1, 1].map(() => 2 ** 30),
    );
  });

  test("empties no file that cannot be opened any more", () => {
    const hello = lookup(root, "hello");
    for (let index = 0; index < 4096; index += 1) ask(opcode.open, hello, words(0, 0));
    expect(ask(opcode.open, hello, words(0o1001, 0)).error).toBe(23);
    expect(text("hello")).toBe("hello there");
  });

  test("makes files with the mode that the umask leaves, and writes them", () => {
    const { error, body } = ask(opcode.create, root, after([2, 0o666, 0o022, 0], "new"));
    expect([error, body.byteLength, body.getUint32(40 + 60, true)]).toEqual([0, 144, 0o100_644]);
    const handle = body.getUint32(128, true);
    expect(write(handle, 2, "xyz").body.getUint32(0, true)).toBe(3);
    expect(text("new")).toBe("\0\0xyz");
    expect(ask(opcode.create, root, after([2, 0o666, 0, 0], "new")).error).toBe(17);
    expect(ask(opcode.fsync, root, words(handle, 0, 0, 0)).error).toBe(0);
  });

  test("writes to what was opened for it, and cuts it when asked", () => {
    const hello = lookup(root, "hello");
    const readOnly = ask(opcode.open, hello, words(0, 0)).body.getUint32(0, true);
    expect(write(readOnly, 0, "x").error).toBe(9);
    const handle = ask(opcode.open, hello, words(1, 0)).body.getUint32(0, true);
    write(handle, 0, "J");
    expect(text("hello")).toBe("Jello there");
    ask(opcode.open, hello, words(0o1001, 0));
    expect(text("hello")).toBe("");
  });

  test("sets size, mode and time", () => {
    const hello = lookup(root, "hello");
    const fields = Array.from({ length: 22 }, () => 0);
    fields[0] = 0x29; // mode, size, time
    fields[4] = 5;
    fields[10] = 1000;
    fields[17] = 0o100_600;
    const { error, body } = ask(opcode.setattr, hello, words(...fields));
    expect([error, body.getUint32(16 + 8, true), body.getUint32(16 + 60, true)]).toEqual([
      0, 5, 0o100_600,
    ]);
    expect(folder.status("hello").modifiedSeconds).toBe(1000);
  });

  test("follows a file that moves, with what is in it, and forgets one that is gone", () => {
    const [sub, inner] = [lookup(root, "sub"), lookup(lookup(root, "sub"), "inner")];
    expect(ask(opcode.rename, root, after([root, 0], "sub", "moved")).error).toBe(0);
    expect(lookup(root, "moved")).toBe(sub);
    expect(lookup(sub, "inner")).toBe(inner);
    expect(ask(opcode.rmdir, root, nameOf("moved")).error).toBe(39);
    expect(ask(opcode.unlink, sub, nameOf("inner")).error).toBe(0);
    expect(ask(opcode.getattr, inner, words(0, 0, 0, 0)).error).toBe(2);
    expect(ask(opcode.rmdir, root, nameOf("moved")).error).toBe(0);
    expect(lookup(root, "moved")).toBe(-2);
  });

  test("keeps a file without a name for whoever has it open", () => {
    const hello = lookup(root, "hello");
    const handle = ask(opcode.open, hello, words(2, 0)).body.getUint32(0, true);
    expect(ask(opcode.unlink, root, nameOf("hello")).error).toBe(0);
    expect(lookup(root, "hello")).toBe(-2);
    const size = (): number =>
      ask(opcode.getattr, hello, words(0, 0, 0, 0)).body.getUint32(16 + 8, true);
    expect(size()).toBe(11);
    const fields = Array.from({ length: 22 }, () => 0);
    [fields[0], fields[4]] = [0x8, 5];
    expect(ask(opcode.setattr, hello, words(...fields)).error).toBe(0);
    expect(size()).toBe(5);
    ask(opcode.release, hello, words(handle, 0, 0, 0, 0, 0));
    expect(ask(opcode.getattr, hello, words(0, 0, 0, 0)).error).toBe(2);
  });

  test("gives a file the time of whoever keeps it, when the machine asks for the present one", () => {
    const times: (number | "now")[] = [];
    const { changes } = folder;
    if (changes === undefined) throw new Error("The folder cannot be changed.");
    server = new FuseServer({
      status: (path) => folder.status(path),
      list: (path) => folder.list(path),
      readLink: (path) => folder.readLink(path),
      open: (path) => folder.open(path),
      changes: { ...changes, setModified: (_, when) => times.push(when) },
    });
    const fields = Array.from({ length: 22 }, () => 0);
    for (const valid of [0x20, 0x120]) {
      [fields[0], fields[10]] = [valid, 1000];
      expect(ask(opcode.setattr, lookup(root, "hello"), words(...fields)).error).toBe(0);
    }
    expect(times).toEqual([1000, "now"]);
  });

  test("keeps the owner of a file, and says so", () => {
    const fields = Array.from({ length: 22 }, () => 0);
    const change = (valid: number, user: number, group: number): number => {
      [fields[0], fields[19], fields[20]] = [valid, user, group];
      return ask(opcode.setattr, lookup(root, "hello"), words(...fields)).error;
    };
    expect([change(6, 0, 0), change(2, 0, 7), change(2, 1000, 0), change(4, 0, 7)]).toEqual([
      0, 0, 1, 1,
    ]);
  });

  test("refuses names that are no UTF-8, and takes all that are", () => {
    const create = (...name: readonly number[]): number =>
      ask(opcode.create, root, Uint8Array.of(...words(2, 0o644, 0, 0), ...name, 0)).error;
    expect([create(0xff), create(0xc3), create(0xed, 0xa0, 0x80)]).toEqual([84, 84, 84]);
    expect(create(0xef, 0xbb, 0xbf, 0x61)).toBe(0);
    expect(folder.status("\ufeffa").kind).toBe("file");
  });

  test("moves over another file unless told not to, and never into itself", () => {
    const noReplace = after([root, 0, 1, 0], "hello", "sub");
    expect(ask(opcode.rename2, root, noReplace).error).toBe(17);
    const sub = lookup(root, "sub");
    expect(ask(opcode.rename, root, after([sub, 0], "sub", "x")).error).toBe(22);
    expect(ask(opcode.rename, root, after([sub, 0], "hello", "inner")).error).toBe(0);
    expect(text("sub/inner")).toBe("hello there");
  });

  test("makes folders and links, and no devices", () => {
    expect(ask(opcode.mkdir, root, after([0o777, 0o027], "d")).error).toBe(0);
    expect(folder.status("d").mode).toBe(0o750);
    expect(ask(opcode.symlink, root, Uint8Array.of(...nameOf("l"), ...nameOf("../x"))).error).toBe(
      0,
    );
    expect(folder.readLink("l")).toBe("../x");
    expect(ask(opcode.mknod, root, after([0o100_644, 0, 0, 0], "f")).error).toBe(0);
    expect(ask(opcode.mknod, root, after([0o020_644, 0, 0, 0], "c")).error).toBe(1);
    expect(ask(opcode.link, root, after([2, 0], "hard")).error).toBe(1);
  });

  test("every cut of every request is answered with an error or nothing", () => {
    const node = lookup(root, "hello");
    for (const operation of Object.values(opcode)) {
      for (let length = 0; length < 100; length += 3) {
        expect(() => raw(operation, node, new Uint8Array(length).fill(length))).not.toThrow();
      }
    }
  });
});

test.each(["", "a/../b", "..", "a/b/.."])("%j is no path of a file in memory", (path) => {
  expect(() => new MemoryFolder(new Map([[path, new Uint8Array(1)]]))).toThrow(RangeError);
});
