/** The command as a user meets it: a process with arguments, streams and an exit status. */
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tinyProgram } from "@ringside/conformance";
import { userProgram } from "@ringside/guest";
import { readReport } from "@ringside/strategy";
import { builtInStrategies } from "./strategies.ts";
import { cannotRun, ringsideIn, type Ended, type How } from "./testing/ringside-process.ts";

const ringside = (args: readonly string[], how?: How): Promise<Ended> =>
  ringsideIn(folder, args, how);

/** cat: reads and writes until the end, or until something goes wrong. */
const COPIES_INPUT = `
more:
  xor eax, eax
  xor edi, edi
  lea rsi, [rip + buffer]
  mov edx, 30000
  syscall
  mov edi, eax
  test eax, eax
  jle over
  mov edx, eax
  mov eax, 1
  mov edi, 1
  lea rsi, [rip + buffer]
  syscall
  jmp more
over:
  neg edi
  mov eax, 60
  syscall
buffer: db 0`;

/** Writes its first argument, its first variable and the file /d; ends with the error of opening that. */
const SHOWS_WHAT_IT_HAS = `
  mov rbx, rsp
  mov rsi, [rbx + 16]
  call show
  mov rax, [rbx]
  mov rsi, [rbx + rax * 8 + 16]
  call show
  mov eax, 2
  lea rdi, [rip + path]
  xor esi, esi
  syscall
  mov edi, eax
  test eax, eax
  js over
  xor eax, eax
  lea rsi, [rip + path]
  mov edx, 100
  syscall
  mov edx, eax
  mov edi, 1
  mov eax, 1
  syscall
  xor edi, edi
over:
  neg edi
  mov eax, 60
  syscall
show:
  mov edx, -1
length:
  inc edx
  cmp byte ptr [rsi + rdx], 0
  jne length
  mov edi, 1
  mov eax, 1
  syscall
  ret
path: db "/d", 0`;

let folder = "";
let bench = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-test-"));
  bench = join(folder, "bench");
  await writeFile(bench, userProgram("bin/bench"), { mode: 0o755 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(cannotRun)(
  "ringside (skipped where Node runs no TypeScript and nothing is built)",
  () => {
    test("prints help and its version", async () => {
      expect(await ringside(["run", "--help"])).toMatchObject({
        status: 0,
        stdout: expect.stringContaining("Example:\n"),
      });
      expect(await ringside(["--version"])).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/u),
      });
    });

    test("fails with status 125 and one line for what it does not know", async () => {
      for (const args of [
        ["bogus"],
        ["compare", "--benchmarks", "bogus"],
        ["compare", "--benchmarks", ","],
        ["compare", "--profile", "bogus"],
        ["compare", "--explain", "bogus"],
        ["compare", "--from", "/nonexistent"],
        ["compare", "--from", bench],
        ["compare", "--explain", "in", "--json", "x"],
        ["run", "--strategy", "bogus", "--", bench],
        ["disasm", "/nonexistent"],
      ]) {
        const { status, stderr } = await ringside(args);
        expect(
          [status, stderr.startsWith("ringside: "), stderr.includes("\n    at ")],
          args.join(" "),
        ).toEqual([125, true, false]);
      }
    });

    test("writes no colour into pipes", async () => {
      const { stdout } = await ringside(["classify", "--critical"]);
      expect(stdout).toContain("popf");
      expect(stdout).not.toContain("\u001b");
    });

    test("disassembles an executable", async () => {
      const { status, stdout } = await ringside(["disasm", "--count", "40", bench]);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^segment at 0x/mu);
      // An ELF header is no code, though it lies in a segment, too.
      expect(stdout).not.toContain("7f 45");
    });

    test("shows what trap-and-emulate makes of a whole kernel, and what came of it", async () => {
      const { status, stdout } = await ringside(["trap-and-emulate", "kernel"]);
      expect(status).toBe(0);
      expect(stdout).toMatch(/ iret +\d+ +\d+ +IF stays 0, in ring 0 it becomes 1 /u);
      expect(stdout).toMatch(/^ {2}it wrote: kernel panic: /mu);
      expect(stdout).toContain("On the bare machine it powered off with 0.");
    });

    test("ends as SIGPIPE does it when nobody reads its output any more", async () => {
      expect(await ringside(["disasm", bench], { hangUp: true })).toMatchObject({
        status: 141,
        stderr: "",
      });
    });

    test("fails with status 125 when its output cannot be written", async () => {
      const full = await open("/dev/full", "w");
      const { status, stderr } = await ringside(["strategies", "--json"], { stdout: full.fd });
      await full.close();
      expect([status, stderr]).toEqual([125, "ringside: The output cannot be written (ENOSPC).\n"]);
    });

    test("explains itself with status 125 when no command is named", async () => {
      expect(await ringside([])).toMatchObject({
        status: 125,
        stdout: "",
        stderr: expect.stringContaining("Usage: ringside"),
      });
    });

    test("takes a strategy of a plugin", async () => {
      await writeFile(
        join(folder, "plugin.mjs"),
        `export const mine = { id: "mine", name: "Mine", summary: "S.", traits: {}, capabilities: {},
      accepts: () => ({ accepted: false, reason: "It runs nothing." }), create() { throw new Error("never"); } };`,
      );
      const { status, stdout } = await ringside([
        "compare",
        "--strategies",
        "./plugin.mjs",
        "--benchmarks",
        "syscall",
      ]);
      expect([status, stdout]).toEqual([
        0,
        expect.stringContaining("mine, n/a: It runs nothing. (syscall)"),
      ]);
    });

    test("explains an operation, priced by the profile that is named", async () => {
      const { status, stdout } = await ringside([
        "compare",
        "--explain",
        "pgfault",
        "--strategies",
        "bare",
        "--profile",
        "haswell",
      ]);
      expect(status).toBe(0);
      expect(stdout).toContain("(cycles: Haswell, 3.5 GHz (2013))");
      expect(stdout).toMatch(/A page fault \(#PF\): .* 715\n/u);
    });

    test("lists strategies as JSON", async () => {
      const { stdout } = await ringside(["strategies", "--json"]);
      expect(JSON.parse(stdout)).toMatchObject(builtInStrategies.map(({ id }) => ({ id })));
    });
  },
);

describe.skipIf(cannotRun).each(builtInStrategies.map(({ id }) => id))(
  "ringside run --strategy %s",
  (strategy) => {
    test("gives the program's output and status", async () => {
      expect(
        await ringside(["run", "--strategy", strategy, "--", bench, "null-call", "10"]),
      ).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^checksum [0-9a-f]{16}\n$/u),
        stderr: "",
      });
      expect(
        await ringside(["run", "--strategy", strategy, "--", bench, "no-such-benchmark", "1"]),
      ).toMatchObject({ status: 2, stdout: "" });
    });

    test("has statuses 127 and 126 as a shell has them", async () => {
      const text = join(folder, "text");
      await writeFile(text, "no program\n", { mode: 0o755 });
      const plain = join(folder, "plain");
      await writeFile(plain, "", { mode: 0o644 });
      expect(
        (await ringside(["run", "--strategy", strategy, "--", join(folder, "none")])).status,
      ).toBe(127);
      expect((await ringside(["run", "--strategy", strategy, "--", plain])).status).toBe(126);
      expect((await ringside(["run", "--strategy", strategy, "--", text])).status).toBe(126);
    });

    test("passes a megabyte through, byte for byte", async () => {
      const cat = join(folder, "cat");
      await writeFile(cat, tinyProgram(COPIES_INPUT), { mode: 0o755 });
      const input = new Uint8Array(1 << 20).map((_byte, index) => (index * 2_654_435_761) >>> 13);
      const { status, stdout, stderr } = await ringside(
        ["run", "--strategy", strategy, "--", cat],
        { input },
      );
      expect([status, stderr]).toEqual([0, ""]);
      expect(Buffer.from(stdout, "latin1").equals(input)).toBe(true);
    });

    test("gives the program its variables, arguments and files", async () => {
      const show = join(folder, "show");
      await writeFile(show, tinyProgram(SHOWS_WHAT_IT_HAS), { mode: 0o755 });
      await writeFile(join(folder, "data.bin"), Uint8Array.of(0, 255, 10));
      const args = [
        "run",
        "--strategy",
        strategy,
        "--env",
        "A=1 =",
        "--env",
        "B=2",
        "--file",
        "data.bin:/d",
        "--",
        show,
        "--file",
      ];
      expect(await ringside(args)).toEqual({
        status: 0,
        stdout: "--fileA=1 =\u0000\u00ff\n",
        stderr: "",
      });
      expect(await ringside([...args.slice(0, 7), "--", show, "x"])).toEqual({
        status: 2,
        stdout: "xA=1 =",
        stderr: "",
      });
    });

    test("gives 128 and the number of the signal that ended the program", async () => {
      const broken = join(folder, "broken");
      await writeFile(broken, tinyProgram("ud2"), { mode: 0o755 });
      expect(await ringside(["run", "--strategy", strategy, "--", broken])).toMatchObject({
        status: 132,
        stdout: "",
      });
    });

    test("stops at its limit with status 125", async () => {
      const { status, stderr } = await ringside([
        "run",
        "--strategy",
        strategy,
        "--limit",
        "1M",
        "--",
        bench,
        "sieve",
        "100000",
      ]);
      expect([status, stderr]).toEqual([125, expect.stringContaining("limit of 1000000 units")]);
    });

    test("stops cleanly on Ctrl-C", async () => {
      const endless = join(folder, "endless");
      const source =
        'mov eax, 1\nmov edi, 1\nlea rsi, [rip + text]\nmov edx, 6\nsyscall\nagain: jmp again\ntext: db "ready", 10';
      await writeFile(endless, tinyProgram(source), { mode: 0o755 });
      const { status, stderr } = await ringside(["run", "--strategy", strategy, "--", endless], {
        interruptOn: "ready",
      });
      expect([status, stderr]).toEqual([130, ""]);
    });
  },
);

describe.skipIf(cannotRun)("ringside compare", () => {
  test("writes the same report twice but for wall times, and a page", async () => {
    const once = async (name: string): Promise<unknown> => {
      const json = join(folder, `${name}.json`);
      const { status, stdout } = await ringside([
        "compare",
        "--benchmarks",
        "ptemod,null-call",
        "--json",
        json,
        "--html",
        join(folder, `${name}.html`),
      ]);
      expect(status).toBe(0);
      expect(stdout).toContain("ptemod");
      const report = readReport(JSON.parse(await readFile(json, "utf8")));
      return JSON.parse(
        JSON.stringify(report, (key, value: unknown) => (key === "wallMs" ? 0 : value)),
      );
    };
    expect(await once("first")).toEqual(await once("second"));
    const page = await readFile(join(folder, "first.html"), "utf8");
    expect(page).toContain("<svg");
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/u);
  });
});
