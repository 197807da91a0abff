/** Debian's static busybox, which nobody here wrote: its output in a container is that on the host. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describeBusybox } from "@ringside/conformance/busybox-node";
import { Host } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { container } from "./index.ts";

const busybox = "/bin/busybox";
const memoryBytes = 64 * 1024 * 1024;

/** The package `busybox-static` has a program without an interpreter; `busybox` has not. */
function isStatic(): boolean {
  return existsSync(busybox) && !readFileSync(busybox).includes("/lib64/ld-linux-x86-64.so.2");
}

function inContainer(args: readonly string[], input: Uint8Array): string {
  let stdout = "";
  using vm = container.create(
    Host.create({ memoryBytes: memoryBytes + 1024 * 1024 }),
    {
      kind: "program",
      argv: [busybox, ...args],
      env: ["PATH=/bin"],
      files: new Map([[busybox, { bytes: new Uint8Array(readFileSync(busybox)), mode: 0o755 }]]),
      memoryBytes,
    },
    { output: { stdout: (bytes) => (stdout += new TextDecoder().decode(bytes)) } },
  );
  vm.input.write(input);
  vm.input.end();
  const exit = vm.run(5_000_000_000);
  expect(exit).toEqual({ reason: "exited", status: { kind: "code", code: 0 } });
  return stdout;
}

function onHost(args: readonly string[], input: Uint8Array): string {
  return execFileSync(busybox, args, { input, env: { PATH: "/bin" } }).toString();
}

const nothing = new Uint8Array();
/** What a container has beyond what every strategy's guests have. */
const cases: readonly (readonly string[])[] = [
  ["sh", "-c", "test -d /proc/self && echo yes"],
  ["sh", "-c", "mkfifo /tmp/f; (echo via fifo >/tmp/f) & busybox cat /tmp/f; wait; rm /tmp/f"],
];

describeBusybox(container);

describe.skipIf(!isStatic())("busybox in namespaces of its own", () => {
  test("mounts, binds, unshares and unmounts as on Linux", () => {
    const script = [
      "mkdir /m /n; busybox mount -t tmpfs none /m; echo a >/m/x; busybox mount -o bind /m /n; cat /n/x",
      "busybox unshare -m sh -c 'busybox umount /n; ls /n | busybox wc -l; busybox mount -t proc p /n; ls -d /n/self'",
      "ls /n; (cd /m; busybox umount /m 2>/dev/null || echo busy)",
      "busybox umount /m; ls /m | busybox wc -l; busybox umount /n; ls /n | busybox wc -l",
      "busybox unshare -u sh -c 'hostname other; hostname'; hostname",
      "busybox mount -o remount,ro /; echo x 2>/dev/null >/file || echo read-only",
    ].join("; ");
    const lines = ["a", "0", "/n/self", "x", "busy", "0", "0", "other", "ringside", "read-only"];
    expect(inContainer(["sh", "-c", script], nothing)).toBe(`${lines.join("\n")}\n`);
  });
});

describe.skipIf(!isStatic())("busybox of the package busybox-static", () => {
  test.each(cases)("prints what it prints on the host: %s %s %s", (...args) => {
    expect(inContainer(args, nothing)).toBe(onHost(args, nothing));
  });
});
