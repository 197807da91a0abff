/**
 * Debian's static busybox, which nobody here wrote: under every strategy it prints what it prints on the host.
 *
 * For Node, and for hosts that have the program: `pnpm guest:busybox` fetches it. Without it the tests show as skipped.
 *
 * @packageDocumentation
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Host, type Strategy } from "@ringside/strategy";
import { describe, expect, test } from "vitest";

/** What `pnpm guest:busybox` fetches, or the host's own where it needs no interpreter. */
const program: string | undefined = [
  fileURLToPath(new URL("../../../.cache/debian/busybox", import.meta.url)),
  "/bin/busybox",
].find((path) => existsSync(path) && !readFileSync(path).includes("/lib64/ld-linux"));

const memoryBytes = 128 << 20;
/** Beside the guest's memory: page tables and the like. */
const hostBytes = memoryBytes + (16 << 20);
const limitUnits = 5_000_000_000;
const path = "/bin/busybox";

interface BusyboxCase {
  readonly what: string;
  readonly args: readonly string[];
  readonly input?: Uint8Array;
}

const megabyte = Uint8Array.from(
  { length: 1 << 20 },
  (_, index) => (index * 7 + (index >> 9)) & 0xff,
);
const shell = (what: string, script: string): BusyboxCase => ({ what, args: ["sh", "-c", script] });

const cases: readonly BusyboxCase[] = [
  shell(
    "a pipeline of applets",
    "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done | busybox sort -rn | busybox sha256sum",
  ),
  { what: "the checksum of a megabyte", args: ["sha256sum"], input: megabyte },
  { what: "128 KiB compressed", args: ["gzip", "-c"], input: megabyte.subarray(0, 1 << 17) },
  shell("traps and statuses", "trap 'echo caught' TERM; kill -TERM $$; (exit 3); echo $?"),
  shell("files it has made", "echo one >/tmp/a; cat /tmp/a /tmp/a | wc -l"),
  {
    what: "sums of awk",
    args: ["awk", "{ n += $1 } END { print n / 4 }"],
    input: new TextEncoder().encode("1\n2\n39\n"),
  },
];

/** Registers the tests for one strategy that runs programs. Call it at the top level of a `.guest.test.ts` file. */
export function describeBusybox(strategy: Strategy): void {
  describe.skipIf(program === undefined)(
    `${strategy.id} and Debian's busybox (pnpm guest:busybox fetches it)`,
    () => {
      test.each(cases)("prints what it prints on the host: $what", ({ args, input }) => {
        if (program === undefined)
          throw new Error("There is no busybox, and the test was not skipped.");
        const native = execFileSync(program, args, {
          input: input ?? new Uint8Array(),
          env: { PATH: "/bin" },
        });
        expect(outputOf(strategy, readFileSync(program), args, input)).toBe(native.toString());
      });
    },
  );
}

/** @throws {Error} The program did not exit with 0. */
function outputOf(
  strategy: Strategy,
  bytes: Uint8Array,
  args: readonly string[],
  input: Uint8Array | undefined,
): string {
  const decoder = new TextDecoder();
  let stdout = "";
  using machine = strategy.create(
    Host.create({ memoryBytes: hostBytes }),
    {
      kind: "program",
      argv: [path, ...args],
      env: ["PATH=/bin"],
      files: new Map([[path, { bytes, mode: 0o755 }]]),
      memoryBytes,
    },
    { output: { stdout: (text) => (stdout += decoder.decode(text, { stream: true })) } },
  );
  if (input !== undefined) machine.input.write(input);
  machine.input.end();
  const exit = machine.run(limitUnits);
  if (exit.reason === "exited" && exit.status.kind === "code" && exit.status.code === 0)
    return stdout;
  throw new Error(`busybox ${args.join(" ")} ended with ${exit.reason}: ${stdout.slice(-200)}`);
}
