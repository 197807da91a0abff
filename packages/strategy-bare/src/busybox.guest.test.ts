/** Debian's static busybox, which nobody here wrote: its output on a bare machine is that on the host. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Host } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { bare } from "./index.ts";

/** What `pnpm guest:busybox` fetches, or the host's own. */
const busybox = [
  fileURLToPath(new URL("../../../.cache/debian/busybox", import.meta.url)),
  "/bin/busybox",
].find((path) => existsSync(path) && !readFileSync(path).includes("/lib64/ld-linux"));

const memoryBytes = 128 << 20;
const path = "/bin/busybox";

function onBare(bytes: Uint8Array, args: readonly string[], input: Uint8Array): string {
  const decoder = new TextDecoder();
  let stdout = "";
  using machine = bare.create(
    Host.create({ memoryBytes }),
    {
      kind: "program",
      argv: [path, ...args],
      env: ["PATH=/bin"],
      files: new Map([[path, { bytes, mode: 0o755 }]]),
      memoryBytes,
    },
    { output: { stdout: (text) => (stdout += decoder.decode(text, { stream: true })) } },
  );
  machine.input.write(input);
  machine.input.end();
  const exit = machine.run(5_000_000_000);
  expect(exit).toEqual({ reason: "exited", status: { kind: "code", code: 0 } });
  return stdout;
}

const nothing = new Uint8Array();
const megabyte = Uint8Array.from(
  { length: 1 << 20 },
  (_, index) => (index * 7 + (index >> 9)) & 0xff,
);
const pipeline =
  "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done | busybox sort -rn | busybox sha256sum";

describe.skipIf(busybox === undefined)("Debian's busybox (pnpm guest:busybox fetches it)", () => {
  test.each([
    ["a pipeline of applets", ["sh", "-c", pipeline], nothing],
    ["the checksum of a megabyte from its input", ["sha256sum"], megabyte],
    ["a megabyte compressed", ["gzip", "-c"], megabyte.subarray(0, 1 << 17)],
    [
      "traps and statuses",
      ["sh", "-c", "trap 'echo caught' TERM; kill -TERM $$; (exit 3); echo $?"],
      nothing,
    ],
    ["files it has made", ["sh", "-c", "echo one >/tmp/a; cat /tmp/a /tmp/a | wc -l"], nothing],
    [
      "sums of awk",
      ["awk", "{ n += $1 } END { print n / 4 }"],
      new TextEncoder().encode("1\n2\n39\n"),
    ],
  ])("prints what it prints on the host: %s", (_, args, input) => {
    if (busybox === undefined)
      throw new Error("There is no busybox, and the test was not skipped.");
    const native = execFileSync(busybox, args, { input, env: { PATH: "/bin" } }).toString();
    expect(onBare(readFileSync(busybox), args, input)).toBe(native);
  });
});
