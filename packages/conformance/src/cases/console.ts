/** Streams, arguments and exit statuses of programs. */
import type { ProgramStatus } from "@ringside/strategy";
import type { ConformanceCase } from "../conformance-case.ts";
import { Capture, execute, outcome } from "../execution.ts";
import { expectEqual, expectTrue } from "../expect.ts";
import { copies, exits, programGuest, tinyProgram } from "../tiny-program.ts";

/** Sends itself `signal`, and exits with 99 should it live on. */
const killsItself = (signal: number): Uint8Array =>
  tinyProgram(`
    mov eax, 39
    syscall
    mov edi, eax
    mov esi, ${signal}
    mov eax, 62
    syscall
    mov eax, 60
    mov edi, 99
    syscall
  `);

/** Every argument, then every string of the environment, each ended by a newline. */
const listsItself = (): Uint8Array =>
  tinyProgram(`
      lea rbx, [rsp + 8]
      mov ebp, 2
    next:
      mov rsi, [rbx]
      add rbx, 8
      test rsi, rsi
      jz list_ends
      xor edx, edx
    length:
      cmp byte [rsi + rdx], 0
      je write
      inc edx
      jmp length
    write:
      mov eax, 1
      mov edi, 1
      syscall
      mov eax, 1
      mov edi, 1
      lea rsi, [rel newline]
      mov edx, 1
      syscall
      jmp next
    list_ends:
      dec ebp
      jnz next
      mov eax, 60
      xor edi, edi
      syscall
    newline: db 10
  `);

/** Prints the current folder, then the first 64 bytes of /data/file. */
const looksAround = (): Uint8Array =>
  tinyProgram(`
      mov eax, 79
      lea rdi, [rel buffer]
      mov esi, 4096
      syscall
      lea edx, [rax - 1]
      mov eax, 1
      mov edi, 1
      lea rsi, [rel buffer]
      syscall
      mov eax, 2
      lea rdi, [rel path]
      xor esi, esi
      xor edx, edx
      syscall
      mov edi, eax
      xor eax, eax
      lea rsi, [rel buffer]
      mov edx, 64
      syscall
      mov edx, eax
      mov eax, 1
      mov edi, 1
      lea rsi, [rel buffer]
      syscall
      mov eax, 60
      xor edi, edi
      syscall
    path: db '/data/file', 0
    buffer:
  `);

const writesBoth = (): Uint8Array =>
  tinyProgram(`
      mov eax, 1
      mov edi, 2
      lea rsi, [rel problem]
      mov edx, 7
      syscall
      mov eax, 1
      mov edi, 1
      lea rsi, [rel result]
      mov edx, 6
      syscall
      mov eax, 60
      mov edi, 1
      syscall
    problem: db 'problem'
    result: db 'result'
  `);

/** Bytes that cover all values, frame markers among them, without a short period. */
function allBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 167 + (index >> 8)) & 0xff);
}

const endings: readonly {
  readonly name: string;
  readonly source: string;
  readonly signal: number;
}[] = [
  { name: "a null pointer", source: "xor eax, eax\n mov [rax], al", signal: 11 },
  {
    name: "a non-canonical pointer",
    source: "mov rax, 0x8000000000000000\n mov al, [rax]",
    signal: 11,
  },
  { name: "a division by zero", source: "xor ecx, ecx\n div ecx", signal: 8 },
  { name: "an undefined instruction", source: "ud2", signal: 4 },
  { name: "a privileged instruction", source: "hlt", signal: 11 },
  { name: "a port", source: "in al, 0x80", signal: 11 },
  { name: "a breakpoint", source: "int3", signal: 5 },
];

export const consoleCases: readonly ConformanceCase[] = [
  ...[0, 1, 42, 255].map((code): ConformanceCase => ({
    name: `reports the exit status ${code}`,
    requires: "programs",
    run(subject) {
      const execution = execute(subject, programGuest(exits(code)));
      const expected: ProgramStatus = { kind: "code", code };
      expectEqual(execution.exit, { reason: "exited", status: expected }, outcome(execution));
    },
  })),
  ...[1, 2, 9, 15].map((signal): ConformanceCase => ({
    name: `reports that signal ${signal} ended the program`,
    requires: "programs",
    run(subject) {
      const execution = execute(subject, programGuest(killsItself(signal)));
      const { exit } = execution;
      expectTrue(
        exit.reason === "exited" && exit.status.kind === "signal" && exit.status.signal === signal,
        `ended by signal ${signal}: ${outcome(execution)}`,
      );
    },
  })),
  ...endings.map(({ name, source, signal }): ConformanceCase => ({
    name: `ends a program that uses ${name} with signal ${signal}, and nothing else`,
    requires: "programs",
    run(subject) {
      const execution = execute(subject, programGuest(tinyProgram(source)));
      const { exit } = execution;
      expectTrue(
        exit.reason === "exited" && exit.status.kind === "signal" && exit.status.signal === signal,
        `ended by signal ${signal}: ${outcome(execution)}`,
      );
    },
  })),
  {
    name: "keeps standard output and standard error apart",
    requires: "programs",
    run(subject) {
      const execution = execute(subject, programGuest(writesBoth()));
      const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
      expectEqual(
        [text(execution.stdout), text(execution.stderr)],
        ["result", "problem"],
        "the streams",
      );
      expectEqual(
        execution.exit,
        { reason: "exited", status: { kind: "code", code: 1 } },
        "the exit",
      );
    },
  },
  {
    name: "carries every byte value both ways",
    requires: "programs",
    run(subject) {
      const input = allBytes(10_000);
      const execution = execute(subject, programGuest(copies()), { input });
      expectEqual(
        execution.exit,
        { reason: "exited", status: { kind: "code", code: 0 } },
        "the exit",
      );
      expectEqual(execution.stdout, input, "the output");
      expectEqual(execution.stderr.length, 0, "bytes of standard error");
    },
  },
  {
    name: "carries 300 KiB both ways, more than any buffer holds",
    requires: "programs",
    run(subject) {
      const input = allBytes(300 * 1024);
      const { stdout } = execute(subject, programGuest(copies()), { input });
      expectEqual(stdout.length, input.length, "the length of the output");
      expectEqual(
        stdout.findIndex((byte, index) => byte !== input[index]),
        -1,
        "the first byte that differs",
      );
    },
  },
  {
    name: "waits for input that has not come, and goes on with it",
    requires: "programs",
    run({ strategy, host }) {
      const capture = new Capture();
      using vm = strategy.create(host, programGuest(copies()), { output: capture.listeners });
      expectEqual(vm.run(1_000_000_000), { reason: "waiting" }, "the exit before any input");
      expectEqual(vm.run(1_000_000_000), { reason: "waiting" }, "the exit when run again");
      vm.input.write(new TextEncoder().encode("one"));
      expectEqual(vm.run(1_000_000_000), { reason: "waiting" }, "the exit after the first input");
      expectEqual(capture.text("stdout"), "one", "the output so far");
      vm.input.write(new TextEncoder().encode(" two"));
      vm.input.end();
      expectEqual(vm.run(1_000_000_000).reason, "exited", "the exit after the end");
      expectEqual(capture.text("stdout"), "one two", "the output");
    },
  },
  {
    name: "does not make a program that reads nothing wait for input",
    requires: "programs",
    run({ strategy, host }) {
      using vm = strategy.create(host, programGuest(exits(5)));
      expectEqual(
        vm.run(1_000_000_000),
        { reason: "exited", status: { kind: "code", code: 5 } },
        "the exit with the input still open",
      );
    },
  },
  {
    name: "refuses input after its end",
    requires: "programs",
    run({ strategy, host }) {
      using vm = strategy.create(host, programGuest(copies()));
      vm.input.end();
      vm.input.end();
      let code: unknown;
      try {
        vm.input.write(new Uint8Array(1));
      } catch (error) {
        code = (error as { code?: unknown }).code;
      }
      expectEqual(code, "wrong-state", "the error");
    },
  },
  {
    name: "passes arguments and environment, empty and long strings among them",
    requires: "programs",
    run(subject) {
      const args = ["", "two words", "ünïcode", "x".repeat(5000)];
      const env = ["A=1", "EMPTY=", "PATH=/bin"];
      const execution = execute(subject, programGuest(listsItself(), { args, env }));
      expectTrue(execution.exit.reason === "exited", outcome(execution));
      expectEqual(
        new TextDecoder().decode(execution.stdout),
        ["/bin/program", ...args, ...env, ""].join("\n"),
        "what the program was given",
      );
    },
  },
  {
    name: "shows the program its files and starts it in its folder",
    requires: "programs",
    run(subject) {
      const files = new Map([
        ["/data/file", { bytes: new TextEncoder().encode("contents"), mode: 0o644 }],
      ]);
      const execution = execute(subject, programGuest(looksAround(), { files, cwd: "/data" }));
      expectEqual(new TextDecoder().decode(execution.stdout), "/datacontents", outcome(execution));
    },
  },
];
