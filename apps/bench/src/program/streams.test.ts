/** Feeding a guest that reads slowly, or no more. */
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { tinyProgram } from "@ringside/conformance";
import { Host, type VirtualMachine } from "@ringside/strategy";
import { container } from "@ringside/strategy-container";
import { expect, test } from "vitest";
import { hostBytesFor } from "../host-size.ts";
import { feed, outputTo } from "./streams.ts";

const MEBIBYTE = 1 << 20;
const CHUNK = Buffer.alloc(MEBIBYTE / 4, "x");

/** Reads all of its input and tells how much it was, in its exit status: mebibytes. */
const COUNTS = `
  xor ebx, ebx
more:
  xor eax, eax
  xor edi, edi
  lea rsi, [rip + buffer]
  mov edx, 4096
  syscall
  add ebx, eax
  test eax, eax
  jg more
  shr ebx, 20
  mov edi, ebx
  mov eax, 60
  syscall
buffer: db 0`;

/** Closes its input and goes on for ever. */
const CLOSES = "mov eax, 3\nxor edi, edi\nsyscall\nagain: jmp again";

function machineOf(source: string): VirtualMachine {
  const guest = {
    kind: "program",
    argv: ["/program"],
    env: [],
    files: new Map([["/program", { bytes: tinyProgram(source), mode: 0o755 }]]),
    memoryBytes: 16 * MEBIBYTE,
  } as const;
  return container.create(Host.create({ memoryBytes: hostBytesFor(guest) }), guest);
}

const noError = (error: Error): never => expect.unreachable(error.message);

/** A stream of 16 MiB that counts what was taken of it. */
function source(): { readonly stream: Readable; readonly takenBytes: () => number } {
  let taken = 0;
  const stream = new Readable({
    read() {
      const over = taken >= 16 * MEBIBYTE;
      if (!over) taken += CHUNK.length;
      this.push(over ? null : CHUNK);
    },
  });
  return { stream, takenBytes: () => taken };
}

test("a guest that does not read yet gets no more than it is allowed to lag behind", async () => {
  using machine = machineOf(COUNTS);
  const { stream, takenBytes } = source();
  const stop = feed(stream, machine.input, noError);
  await once(stream, "pause");
  expect(machine.input.bufferedBytes).toBe(MEBIBYTE);
  expect(takenBytes()).toBeLessThan(3 * MEBIBYTE);
  stop();
});

test("a guest that reads gets everything, and the end", async () => {
  using machine = machineOf(COUNTS);
  const { stream } = source();
  const stop = feed(stream, machine.input, noError);
  expect(await machine.start({ sliceUnits: 100_000 })).toMatchObject({
    reason: "exited",
    status: { kind: "code", code: 16 },
  });
  stop();
});

test("feeding stops when the guest reads no more", async () => {
  using machine = machineOf(CLOSES);
  const stream = new PassThrough();
  feed(stream, machine.input, noError);
  expect(machine.run(100_000).reason).toBe("limit");
  stream.write("nobody reads this");
  await turn();
  expect(machine.input.closed).toBe(true);
  expect(stream.isPaused()).toBe(true);
  expect(stream.listenerCount("data")).toBe(0);
});

test("a stream that cannot be read says so", async () => {
  using machine = machineOf(COUNTS);
  const stream = new PassThrough();
  const message = new Promise<string>((resolve) => {
    feed(stream, machine.input, (error) => resolve(error.message));
  });
  stream.destroy(new Error("EISDIR"));
  expect(await message).toBe("EISDIR");
});

test("output goes to its stream, byte for byte", () => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const output = outputTo(stdout, stderr);
  output.stdout?.(Uint8Array.of(0, 255));
  output.stderr?.(Uint8Array.of(128));
  expect([...(stdout.read() as Buffer)]).toEqual([0, 255]);
  expect([...(stderr.read() as Buffer)]).toEqual([128]);
});
