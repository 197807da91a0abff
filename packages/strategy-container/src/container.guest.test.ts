/** What makes a container one: limits, namespaces, and endings that the host survives. */
import { tinyProgram } from "@ringside/conformance";
import { userProgram } from "@ringside/guest";
import { countAt, Host, type SystemCallEvent } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { container, type ContainerOptions } from "./index.ts";

const mebibyte = 1024 * 1024;

interface RunOptions extends ContainerOptions {
  readonly memoryBytes?: number;
  readonly args?: readonly string[];
  readonly limitUnits?: number;
  readonly keepInputOpen?: boolean;
}

function run(program: Uint8Array, options: RunOptions = {}) {
  const { memoryBytes = 16 * mebibyte, args = [], limitUnits = 500_000_000, ...rest } = options;
  const calls: SystemCallEvent[] = [];
  let stdout = "";
  let stderr = "";
  let log = "";
  const decoder = new TextDecoder();
  using vm = container.create(
    Host.create({ memoryBytes: memoryBytes + mebibyte }),
    {
      kind: "program",
      argv: ["/bin/program", ...args],
      env: [],
      files: new Map([["/bin/program", { bytes: program, mode: 0o755 }]]),
      memoryBytes,
    },
    {
      ...rest,
      output: {
        stdout: (bytes) => (stdout += decoder.decode(bytes)),
        stderr: (bytes) => (stderr += decoder.decode(bytes)),
        log: (bytes) => (log += decoder.decode(bytes)),
      },
      trace: { "system-call": (event) => void calls.push(event) },
    },
  );
  if (options.keepInputOpen !== true) vm.input.end();
  const exit = vm.run(limitUnits);
  return { exit, stdout, stderr, log, calls, counts: vm.counts() };
}

const exited = (code: number) => ({ reason: "exited", status: { kind: "code", code } });

/** Forks until it is refused, and exits with the number of children; they wait for ever. */
const forks = (): Uint8Array =>
  tinyProgram(`
      xor ebx, ebx
    again:
      mov eax, 57
      syscall
      test rax, rax
      js refused
      jz child
      inc ebx
      jmp again
    child:
      mov eax, 34
      syscall
      jmp child
    refused:
      mov edi, ebx
      mov eax, 231
      syscall
  `);

/** Its child writes to 64 MiB of memory, a page each time; exits with the signal that ended the child. */
const childEatsMemory = (): Uint8Array =>
  tinyProgram(`
      mov eax, 57
      syscall
      test eax, eax
      jnz parent
      mov eax, 9
      xor edi, edi
      mov esi, 0x4000000
      mov edx, 3
      mov r10d, 0x22
      mov r8, -1
      xor r9d, r9d
      syscall
      mov ecx, 0x4000
    touch:
      mov byte [rax], 1
      add rax, 4096
      dec ecx
      jnz touch
      mov edi, 99
      mov eax, 231
      syscall
    parent:
      mov edi, -1
      lea rsi, [rsp - 64]
      xor edx, edx
      xor r10d, r10d
      mov eax, 61
      syscall
      mov edi, [rsp - 64]
      and edi, 0x7f
      mov eax, 231
      syscall
  `);

/** Writes the fields of uname to its output. */
const namesItself = (): Uint8Array =>
  tinyProgram(`
      mov eax, 63
      lea rdi, [rel names]
      syscall
      mov eax, 1
      mov edi, 1
      lea rsi, [rel names]
      mov edx, 390
      syscall
      xor edi, edi
      mov eax, 231
      syscall
    names:
  `);

describe("the pids limit", () => {
  test.each([2, 5, 100])("of %i refuses one more", (pidsLimit) => {
    const { exit, counts } = run(forks(), { pidsLimit });
    expect(exit).toEqual(exited(pidsLimit - 1));
    expect(countAt(counts, "pids")).toBeGreaterThan(0);
    expect(counts["pids"]).toEqual({ peak: pidsLimit, refused: 1 });
  });
});

describe("the memory limit", () => {
  test("ends the process that wants more, and only that one", () => {
    const { exit, counts, log } = run(childEatsMemory());
    expect(exit).toEqual(exited(9));
    expect(log).toMatch(/^program\[3\]: killed by the memory limit, ip 0x[0-9a-f]+\n$/);
    expect(counts["memory"]).toMatchObject({ oomKills: 1 });
  });

  test("is never exceeded, tables and records included", () => {
    const { counts } = run(userProgram("hostile/memory-eater"), { args: ["sparse"] });
    const { peakBytes } = counts["memory"] as { peakBytes: number };
    expect(peakBytes).toBeGreaterThan(15 * mebibyte);
    expect(peakBytes).toBeLessThanOrEqual(16 * mebibyte);
  });

  test("counts the guest's files", () => {
    expect(() => run(new Uint8Array(3 * mebibyte), { memoryBytes: 2 * mebibyte })).toThrow(
      /do not fit into its 2097152 bytes/,
    );
  });
});

describe("namespaces", () => {
  test("give the program a host name of its own", () => {
    const { stdout } = run(namesItself(), { hostName: "corner" });
    const fields = Array.from({ length: 6 }, (_, index) =>
      stdout.slice(index * 65, index * 65 + 65).replaceAll("\0", ""),
    );
    expect(fields[0]).toBe("Linux");
    expect(fields[1]).toBe("corner");
    expect(fields[4]).toBe("x86_64");
  });

  test("number processes from 1, which reaps, so that the program is 2", () => {
    const { calls } = run(
      tinyProgram(`
        mov eax, 39
        syscall
        mov eax, 110
        syscall
        xor edi, edi
        mov eax, 231
        syscall
      `),
    );
    expect(calls.map(({ name, result }) => [name, result])).toEqual([
      ["getpid", 2n],
      ["getppid", 1n],
      ["exit_group", undefined],
    ]);
  });
});

describe("a container", () => {
  test("that waits for input says so, also when it asks for it with poll", () => {
    const polls = tinyProgram(`
      mov dword [rsp - 64], 0
      mov dword [rsp - 60], 1
      lea rdi, [rsp - 64]
      mov esi, 1
      mov edx, -1
      mov eax, 7
      syscall
    `);
    expect(run(polls, { keepInputOpen: true }).exit).toEqual({ reason: "waiting" });
  });

  test("in which every process waits for another has crashed, when no input can come", () => {
    const { exit } = run(tinyProgram("again:\n mov eax, 34\n syscall\n jmp again"));
    expect(exit).toMatchObject({ reason: "crashed", why: /every process waits/ });
  });

  test("counts system calls by name, and those that do not exist by number", () => {
    const { counts, exit } = run(
      tinyProgram(`
        mov eax, 333
        syscall
        mov eax, 0x7fffffff
        syscall
        mov edi, eax
        neg edi
        mov eax, 231
        syscall
      `),
    );
    expect(exit).toEqual(exited(38));
    expect(counts["systemCalls"]).toEqual({ exit_group: 1, unknown: 1, "unknown-333": 1 });
  });

  test("reports a program that is no program with the status of a shell", () => {
    const { exit, stderr } = run(new TextEncoder().encode("not a program"));
    expect(exit).toEqual(exited(126));
    expect(stderr).toBe("/bin/program: Exec format error\n");
  });

  test("skips the time in which all sleep", () => {
    const sleeps = tinyProgram(`
      mov qword [rsp - 64], 3600
      mov qword [rsp - 56], 0
      lea rdi, [rsp - 64]
      xor esi, esi
      mov eax, 35
      syscall
      mov edi, 1
      lea rsi, [rsp - 64]
      mov eax, 228
      syscall
      xor edi, edi
      cmp qword [rsp - 64], 3600
      setne dil
      mov eax, 231
      syscall
    `);
    const { exit, counts } = run(sleeps);
    expect(exit).toEqual(exited(0));
    expect(counts.units).toBeLessThan(100);
  });

  test("refuses a host whose processor another machine has", () => {
    const host = Host.create({ memoryBytes: 8 * mebibyte });
    const guest = {
      kind: "program",
      argv: ["/bin/program"],
      env: [],
      files: new Map([["/bin/program", { bytes: forks(), mode: 0o755 }]]),
      memoryBytes: 2 * mebibyte,
    } as const;
    using first = container.create(host, guest);
    expect(first.state).toBe("created");
    expect(() => container.create(host, guest)).toThrow(/Dispose that machine first/);
  });
});
