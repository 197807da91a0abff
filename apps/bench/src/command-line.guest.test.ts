/** The command as a user meets it: a process with arguments, streams and an exit status. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tinyProgram } from "@ringside/conformance";
import { userProgram } from "@ringside/guest";
import { readReport } from "@ringside/strategy";
import { builtInStrategies } from "./strategies.ts";

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command; `interruptOn` presses Ctrl-C once that was written. */
function ringside(args: readonly string[], input = "", interruptOn?: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const main = new URL("main.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, ["--conditions=@ringside/source", main, ...args], {
      stdio: "pipe",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString("latin1");
      if (interruptOn !== undefined && stdout.includes(interruptOn)) child.kill("SIGINT");
    });
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on("error", () => undefined); // The program may end before it has read everything.
    child.stdin.end(input);
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

let folder = "";
let bench = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-test-"));
  bench = join(folder, "bench");
  await writeFile(bench, userProgram("bin/bench"), { mode: 0o755 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("ringside", () => {
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
      ["run", "--strategy", "bogus", "--", bench],
      ["disasm", "/nonexistent"],
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- A process each, not all at once.
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
  });

  test("lists strategies as JSON", async () => {
    const { stdout } = await ringside(["strategies", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject(builtInStrategies.map(({ id }) => ({ id })));
  });
});

describe.each(builtInStrategies.map(({ id }) => id))("ringside run --strategy %s", (strategy) => {
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
    const { status, stderr } = await ringside(
      ["run", "--strategy", strategy, "--", endless],
      "",
      "ready",
    );
    expect([status, stderr]).toEqual([130, ""]);
  });
});

describe("ringside compare", () => {
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
