/** `ringside trace` as a user meets it: what the lines look like is documented. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assemble } from "@ringside/isa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cannotRun, ringsideIn, type Ended } from "../testing/ringside-process.ts";

const ADDRESS = 0x10_0000n;

/** An interrupt table with one gate, for #UD; then #UD, whose handler skips it. */
const SOURCE = `
  mov rsp, 0x280000
  lea rax, [rip + handler]
  mov rdi, 0x300000
  mov word ptr [rdi + 0x60], ax
  mov dword ptr [rdi + 0x62], 0x8e000008
  mov word ptr [rdi + 0x66], 0x10
  mov word ptr [rip + idtr], 0xfff
  mov qword ptr [rip + idtr + 2], rdi
  lidt [rip + idtr]
begin: add eax, 5
  nop dword ptr [rax + rax + 0x52490123]
  ud2
  hlt
handler: add qword ptr [rsp], 2
  iretq
idtr: resb 10`;

let folder = "";
const { bytes, symbols } = assemble(SOURCE, { address: ADDRESS });
const at = `0x${(symbols.get("begin") ?? 0n).toString(16)}`;
const trace = (...args: string[]): Promise<Ended> =>
  ringsideIn(folder, [
    "trace",
    "--kernel",
    "kernel",
    "--format",
    "flat",
    "--memory",
    "4M",
    ...args,
  ]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-trace-"));
  await writeFile(join(folder, "kernel"), bytes);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(cannotRun)(
  "ringside trace (skipped where Node runs no TypeScript and nothing is built)",
  () => {
    test("writes a line for each instruction, with what it changed, and for each event", async () => {
      const { status, stdout } = await trace("--at", at, "--count", "6");
      expect(status).toBe(0);
      const lines = stdout.split("\n").map((line) => line.replaceAll(/ +/gu, " ").trim());
      expect(lines).toEqual([
        "9 0 000000000010003d 83 c0 05 add eax, 0x5 ; rax=100050 rflags=16",
        "10 0 0000000000100040 0f 1f 84 00 23 01 49 52 ringside.mark 0x123",
        "11 ! exception 6 at 100048",
        "12 0 000000000010004b 48 83 04 24 02 add qword ptr [rsp], 0x2 ; rflags=2",
        "13 0 0000000000100050 48 cf iretq ; rsp=280000 rflags=16",
        "14 0 000000000010004a f4 hlt",
        "",
      ]);
    });

    test("writes the same twice, and to a file", async () => {
      const once = await trace("--count", "20");
      const path = join(folder, "trace.txt");
      expect(await trace("--count", "20", "--output", path)).toEqual({
        status: 0,
        stdout: "",
        stderr: "ringside: The guest halted after 15 units.\n",
      });
      expect(await readFile(path, "latin1")).toBe(once.stdout);
      expect(once.stdout.split("\n")).toHaveLength(16);
    });

    test("writes events alone", async () => {
      const { stdout } = await trace("--events");
      expect(stdout).toBe(
        "          11 ! mark 291 at 100040\n          11 ! exception 6 at 100048\n",
      );
    });

    test("says where the guest ended before the beginning, and what cannot be written", async () => {
      expect(await trace("--after", "1000")).toMatchObject({
        status: 125,
        stderr: expect.stringContaining('The guest did not get to the beginning: it is "halted"'),
      });
      expect(await trace("--output", join(folder, "none", "trace.txt"))).toMatchObject({
        status: 125,
        stderr: expect.stringContaining("ringside: The trace cannot be written (ENOENT"),
      });
    });
  },
);
