/**
 * QEMU as nothing but a processor and memory, behind its gdb stub.
 *
 * Its machine `none` has no device and no firmware, and its memory is a file that we fill: what it executes is what we
 * put there. While it is stepped it takes no interrupts and its timers stand still (gdbstub's NOIRQ and NOTIMER).
 */
import { spawn, type ChildProcess } from "node:child_process";
import { open, mkdtemp, rm, type FileHandle } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GdbClient } from "@ringside/gdb";
import { connectionOf } from "../boot/debug-port.ts";
import { CommandError } from "../failure.ts";

export interface QemuOptions {
  /** The program. */
  readonly path: string;
  /** As its `-cpu` takes it, without what this adds. */
  readonly cpu: string;
  readonly memoryBytes: number;
}

/** How long QEMU may take to open its port. */
const startTimeoutMs = 20_000;
const retryMs = 50;

export class Qemu implements AsyncDisposable {
  readonly client: GdbClient;
  /** Its physical memory. */
  readonly memory: FileHandle;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(
    client: GdbClient,
    memory: FileHandle,
    folder: string,
    process: ChildProcess,
  ) {
    this.client = client;
    this.memory = memory;
    this.#folder = folder;
    this.#process = process;
  }

  /** @throws {CommandError} There is no QEMU, or it does not start. */
  static async start({ path, cpu, memoryBytes }: QemuOptions): Promise<Qemu> {
    const folder = await mkdtemp(join(tmpdir(), "ringside-lockstep-"));
    const file = join(folder, "memory");
    const port = join(folder, "gdb");
    const memory = await open(file, "w+");
    let started: ChildProcess | undefined;
    try {
      await memory.truncate(memoryBytes);
      started = spawn(
        path,
        [
          ...["-machine", "none,memory-backend=memory", "-accel", "tcg", "-S", "-nodefaults"],
          ...[
            "-object",
            `memory-backend-file,id=memory,size=${memoryBytes},mem-path=${file},share=on`,
          ],
          // Without a board nobody numbers the local APIC, so there is none.
          ...["-cpu", `${cpu},-apic,apic-id=0`, "-display", "none"],
          ...["-chardev", `socket,id=gdb,path=${port},server=on,wait=off`, "-gdb", "chardev:gdb"],
        ],
        { stdio: ["ignore", "ignore", "pipe"] },
      );
      const client = await connected(path, started, port);
      return new Qemu(client, memory, folder, started);
    } catch (error) {
      started?.kill();
      await memory.close();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    this.#process.kill();
    await this.memory.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function connected(path: string, process: ChildProcess, port: string): Promise<GdbClient> {
  let complaint = "";
  let ended: string | undefined;
  process.stderr?.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  process.on("error", (error) => (ended = error.message));
  process.on("close", () => (ended ??= complaint.trim() || "it ended at once"));
  for (let waitedMs = 0; waitedMs < startTimeoutMs; waitedMs += retryMs) {
    await new Promise<void>((resolve) => void setTimeout(resolve, retryMs));
    if (ended !== undefined) break;
    const socket = connect(port);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false)); // Not yet.
    });
    if (isOpen) return GdbClient.connect(connectionOf(socket));
  }
  throw new CommandError(
    `QEMU does not start: ${ended ?? "it opens no port"}. Install qemu-system-x86, or name it with --qemu (now "${path}").`,
  );
}
