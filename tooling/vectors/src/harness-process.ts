/**
 * Builds harness.c and talks to it: one request and one response for each instruction or program.
 */
import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Patch, Registers, VectorInput } from "@ringside/isa/testing";

/** Sizes of the structures in harness.c. */
const REQUEST_BYTES = 656;
const PATCH_BYTES = 8;
const RESPONSE_BYTES = 680;
const FXSAVE_BYTES = 512;

/** What an instruction or a program left behind, as Linux tells it. */
export interface Observation {
  readonly signal: number;
  readonly code: number;
  /** Address that the signal names. */
  readonly address: bigint;
  readonly registers: Registers;
  readonly rip: bigint;
  readonly changes: readonly Patch[];
}

/** Compiles the harness and gives the path of the program. */
export function buildHarness(): string {
  const source = fileURLToPath(new URL("harness.c", import.meta.url));
  const program = join(mkdtempSync(join(tmpdir(), "ringside-vectors-")), "harness");
  execFileSync("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source], {
    stdio: "inherit",
  });
  return program;
}

/** Lines that identify the processor. */
export function identifyProcessor(program: string): readonly string[] {
  return execFileSync(program, ["--identify"], { encoding: "utf8" }).trim().split("\n");
}

/** A running harness. */
export class HarnessProcess implements Disposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #chunks: Buffer[] = [];
  #available = 0;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(program: string) {
    this.#process = spawn(program, [], { stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stderr.pipe(process.stderr);
    this.#process.stdout.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#available += chunk.length;
      this.#wake?.();
    });
    this.#process.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  /** Executes one instruction. */
  async step(input: VectorInput): Promise<Observation> {
    return this.#request(input, false);
  }

  /** Runs code until the INT3 that follows it and fills the rest of its page, or until another signal. */
  async run(input: VectorInput): Promise<Observation> {
    return this.#request(input, true);
  }

  async #request(input: VectorInput, runs: boolean): Promise<Observation> {
    this.#process.stdin.write(encodeRequest(input, runs));
    const head = await this.#read(RESPONSE_BYTES);
    const changes: Patch[] = [];
    const count = head.readUInt32LE(RESPONSE_BYTES - 8);
    for (let index = 0; index < count; index++) {
      const patch = await this.#read(PATCH_BYTES);
      const bytes = await this.#read(patch.readUInt32LE(4));
      changes.push({ linear: patch.readUInt32LE(0), bytes: Uint8Array.from(bytes) });
    }
    return decodeResponse(head, changes);
  }

  async #read(bytes: number): Promise<Buffer> {
    while (this.#available < bytes) {
      if (this.#ended) throw new Error("The harness ended. Its message is above.");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const all =
      this.#chunks.length === 1
        ? (this.#chunks[0] ?? Buffer.alloc(0))
        : Buffer.concat(this.#chunks);
    this.#chunks.length = 0;
    if (all.length > bytes) this.#chunks.push(all.subarray(bytes));
    this.#available = all.length - bytes;
    return all.subarray(0, bytes);
  }

  [Symbol.dispose](): void {
    this.#process.stdin.end();
  }
}

function encodeRequest(input: VectorInput, runs: boolean): Buffer {
  const { registers } = input;
  const request = Buffer.alloc(REQUEST_BYTES);
  request.writeUInt8(input.mode, 0);
  request.writeUInt8(runs ? 1 : 0, 1);
  request.writeUInt16LE(input.code.length, 2);
  request.writeUInt32LE(input.memory.length, 4);
  for (const [number, value] of registers.general.entries())
    request.writeBigUInt64LE(value, 8 + number * 8);
  request.writeBigUInt64LE(registers.flags, 136);
  encodeFxsave(registers, request.subarray(144, 144 + FXSAVE_BYTES));
  const patches = input.memory.flatMap(({ linear, bytes }) => {
    const head = Buffer.alloc(PATCH_BYTES);
    head.writeUInt32LE(linear, 0);
    head.writeUInt32LE(bytes.length, 4);
    return [head, Buffer.from(bytes)];
  });
  return Buffer.concat([request, input.code, ...patches]);
}

/** Intel SDM Vol. 1 §10.5.1.1, "x87 State", and Vol. 2A, "FXSAVE—Save x87 FPU, MMX Technology, and SSE State". */
function encodeFxsave(registers: Registers, image: Buffer): void {
  image.writeUInt16LE(registers.controlWord, 0);
  image.writeUInt16LE(registers.statusWord, 2);
  image.writeUInt8(registers.tags, 4);
  image.writeUInt32LE(registers.mxcsr, 24);
  for (const [index, value] of registers.stack.entries()) {
    image.writeBigUInt64LE(BigInt.asUintN(64, value), 32 + index * 16);
    image.writeUInt16LE(Number(value >> 64n), 40 + index * 16);
  }
  for (const [index, value] of registers.xmm.entries()) {
    image.writeBigUInt64LE(BigInt.asUintN(64, value), 160 + index * 16);
    image.writeBigUInt64LE(value >> 64n, 168 + index * 16);
  }
}

function decodeResponse(head: Buffer, changes: readonly Patch[]): Observation {
  const image = head.subarray(RESPONSE_BYTES - 8 - FXSAVE_BYTES, RESPONSE_BYTES - 8);
  const each = <T>(count: number, read: (index: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => read(index));
  return {
    signal: head.readInt32LE(0),
    code: head.readInt32LE(4),
    address: head.readBigUInt64LE(8),
    rip: head.readBigUInt64LE(144),
    changes,
    registers: {
      general: each(16, (number) => head.readBigUInt64LE(16 + number * 8)),
      flags: head.readBigUInt64LE(152),
      controlWord: image.readUInt16LE(0),
      statusWord: image.readUInt16LE(2),
      tags: image.readUInt8(4),
      mxcsr: image.readUInt32LE(24),
      stack: each(
        8,
        (index) =>
          image.readBigUInt64LE(32 + index * 16) |
          (BigInt(image.readUInt16LE(40 + index * 16)) << 64n),
      ),
      xmm: each(
        16,
        (index) =>
          image.readBigUInt64LE(160 + index * 16) |
          (image.readBigUInt64LE(168 + index * 16) << 64n),
      ),
    },
  };
}
