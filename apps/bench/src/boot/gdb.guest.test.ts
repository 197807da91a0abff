/** `--gdb` with the real gdb, in batch mode. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tinyProgram } from "@ringside/conformance";
import { assemble } from "@ringside/isa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cannotRun, ringsideIn, type Ended } from "../testing/ringside-process.ts";

function hasGdb(): boolean {
  try {
    execFileSync("gdb", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false; // That is the answer.
  }
}

const SOURCE = `
  fninit
  fldpi
  mov ebx, 0x200000
  mov ecx, 3
again: add rax, 5
inside: mov [rbx], eax
  dec ecx
  jnz again
  mov eax, 0x11223344
  movd xmm3, eax
over: mov al, 3
  out 0xf4, al
  hlt`;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-gdb-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(cannotRun || !hasGdb())("gdb (skipped where there is none)", () => {
  test("reads and writes registers and memory, breaks, watches, steps, and sees the end", async () => {
    const { bytes, symbols } = assemble(SOURCE, { address: 0x10_0000n });
    const kernel = join(folder, "kernel");
    await writeFile(kernel, bytes);
    const at = (name: string): string => `0x${(symbols.get(name) ?? 0n).toString(16)}`;
    const args = ["boot", "--kernel", kernel, "--format", "flat", "--memory", "4M", "--gdb", "0"];
    const { target, ended } = await waitingForGdb(args);
    const commands = [
      "set confirm off",
      "set architecture i386:x86-64",
      `target remote ${target}`,
      `break *${at("inside")}`,
      "continue",
      "output/x $rax",
      "stepi",
      "output/x $pc",
      "delete",
      "watch *(int *) 0x200000",
      "continue",
      "delete",
      "x/1wx 0x200000",
      "set {int} 0x200004 = 0x1234",
      "x/1wx 0x200004",
      "set $rdx = 0x77",
      "output/x $rdx",
      `hbreak *${at("over")}`,
      "continue",
      "output $st0",
      "output/x $xmm3.v4_int32[0]",
      "info registers cr0 efer k_gs_base cs",
      "delete",
      "continue",
    ];
    const output = await gdb(commands.flatMap((command) => ["-ex", command]));
    const lines = (text: string): boolean => output.replaceAll(/\s+/gu, " ").includes(text);
    expect.soft(output).toContain("Breakpoint 1, ");
    expect.soft(output).toContain("0x50x"); // Two outputs without a line between: rax, and where the step went.
    expect.soft(lines("Old value = 5 New value = 10")).toBe(true);
    expect.soft(output).toContain("0x200000:\t0x0000000a");
    expect.soft(output).toContain("0x200004:\t0x00001234");
    expect.soft(output).toContain("0x77");
    expect.soft(output).toContain("3.14159265358979323");
    expect.soft(output).toContain("0x11223344");
    expect.soft(lines("cr0 0x80010033")).toBe(true);
    expect.soft(lines("efer 0xd01")).toBe(true);
    expect.soft(output).toContain("exited with code 03");
    expect(await ended).toMatchObject({ status: 3 });
  });

  test("follows a program and the kernel below it to the program's end", async () => {
    const program = join(folder, "program");
    const source = "mov edi, 7\n mov eax, 60\n syscall";
    await writeFile(program, tinyProgram(source), { mode: 0o755 });
    const args = ["run", "--strategy", "bare", "--gdb", "0", "--", program];
    const { target, ended } = await waitingForGdb(args);
    const commands = ["set architecture i386:x86-64", `target remote ${target}`, "continue"];
    const output = await gdb(commands.flatMap((command) => ["-ex", command]));
    expect(output).toContain("exited with code 07");
    expect(await ended).toMatchObject({ status: 7 });
  });
});

/** Starts the command and waits until it says where gdb finds it. */
async function waitingForGdb(
  args: readonly string[],
): Promise<{ readonly target: string; readonly ended: Promise<Ended> }> {
  return new Promise((resolve) => {
    const ended = ringsideIn(folder, args, {
      onStderr(text) {
        const [, target] = /target remote (\S+)\n/u.exec(text) ?? [];
        if (target !== undefined) resolve({ target, ended });
      },
    });
  });
}

function gdb(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("gdb", ["-nx", "-batch", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", reject);
    child.on("close", () => resolve(output));
  });
}
