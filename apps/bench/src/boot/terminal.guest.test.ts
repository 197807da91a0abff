/** `ringside boot` on a terminal: script(1) of util-linux makes one and types what it reads. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assemble } from "@ringside/isa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cannotRun, ringsideCommand } from "../testing/ringside-process.ts";
import { keyHelp } from "./serial-terminal.ts";

const hasScript = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

/** Writes in hexadecimal digits what it reads from the serial port. */
const SHOWS = `
  mov edx, 0x3fc
  mov al, 3
  out dx, al
wait:
  mov edx, 0x3fd
  in al, dx
  test al, 1
  jz wait
  mov edx, 0x3f8
  in al, dx
  mov bl, al
  shr al, 4
  call digit
  mov al, bl
  and al, 15
  call digit
  jmp wait
digit:
  cmp al, 10
  jb decimal
  add al, 'a' - '0' - 10
decimal:
  add al, '0'
  out dx, al
  ret`;
/** Without an IDT every exception is a triple fault. */
const CRASHES = "ud2";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-terminal-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A step of a conversation: what is waited for, then what is typed. */
type Step = readonly [wait: string, type: string];

/** What was on the terminal, with the command's status and the terminal's settings after it. */
async function onTerminal(source: string, steps: readonly Step[]): Promise<string> {
  const kernel = join(folder, "kernel");
  const setStack = "mov esp, 0x200000\n";
  await writeFile(kernel, assemble(setStack + source, { address: 0x10_0000n }).bytes);
  const options = ["boot", "--kernel", kernel, "--format", "flat", "--memory", "4M"];
  const command = [...ringsideCommand, ...options].map((word) => `'${word}'`).join(" ");
  const line = `${command}; echo "status $?"; stty -a`;
  const child = spawn("script", ["-qefc", line, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, SHELL: "/bin/sh" },
  });
  let output = "";
  let seen = 0;
  const left = [...steps];
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString("latin1");
    for (let step = left[0]; step !== undefined; step = left[0]) {
      const at = output.indexOf(step[0], seen);
      if (at < 0) return;
      seen = at + step[0].length;
      left.shift();
      child.stdin.write(step[1], "latin1");
    }
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(output));
  });
}

describe.skipIf(cannotRun || !hasScript)(
  "a terminal (skipped where there is no script(1), and where Node runs no TypeScript and nothing is built)",
  () => {
    test("gives every key to the guest, Ctrl-C and Ctrl-D too, and Ctrl-A x leaves it as it was", async () => {
      const output = await onTerminal(SHOWS, [
        [keyHelp, "a\x03\x04\x1a\r"],
        ["6103041a0d", "\x01h"],
        [keyHelp, "\x01\x01"],
        ["01", "\x01x"],
      ]);
      // What is typed is shown by the guest alone.
      expect(output.replaceAll("\r", "")).toMatch(/6103041a0d\n?.*\n01status 0\n/u);
      expect(output).toMatch(/ icanon .* echo /su);
    });

    test("is as it was after a crash, too", async () => {
      const output = await onTerminal(CRASHES, []);
      expect(output).toContain("The guest broke its machine");
      expect(output).toContain("status 134");
      expect(output).toMatch(/ icanon .* echo /su);
    });
  },
);
