/**
 * Debian's stock kernel for amd64, which nobody here wrote and which supports Xen, boots as a domain to a shell on hvc0:
 * the proof that nothing here contradicts Xen where Linux looks.
 *
 * `pnpm guest:linux` and `pnpm guest:busybox` fetch it and a shell; without them the test shows as skipped.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { initrd } from "@ringside/guest";
import { unpackKernel } from "@ringside/machine";
import { Host } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { paravirt } from "./index.ts";

const cached = (name: string): string =>
  fileURLToPath(new URL(`../../../.cache/debian/${name}`, import.meta.url));
const kernel = cached("vmlinuz-generic");
const busybox = cached("busybox");
const isThere = existsSync(kernel) && existsSync(busybox);
const memoryBytes = 256 << 20;
/** Beside the guest's memory: what Xen keeps. */
const hostBytes = memoryBytes + (8 << 20);
const limitUnits = 5_000_000_000;

const init = `#!/bin/busybox sh
/bin/busybox mkdir /proc /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
exec </dev/hvc0 >/dev/hvc0 2>&1
/bin/busybox grep -c xen-percpu /proc/interrupts
/bin/busybox seq 3 | /bin/busybox sha256sum
read line; echo "read: $line"
/bin/busybox poweroff -f
`;

describe.skipIf(!isThere)(
  "paravirt and Debian's kernel (pnpm guest:linux and guest:busybox)",
  () => {
    test("boots unmodified to a shell on hvc0, runs programs, reads a line, and halts", async () => {
      let console = "";
      using machine = paravirt.create(
        Host.create({ memoryBytes: hostBytes }),
        {
          kind: "kernel",
          format: "xen-pv",
          image: await unpackKernel(readFileSync(kernel)),
          commandLine: "console=hvc0 quiet cryptomgr.notests",
          initrd: initrd([
            { path: "/init", mode: 0o755, data: new TextEncoder().encode(init) },
            { path: "/bin/busybox", mode: 0o755, data: readFileSync(busybox) },
          ]),
          memoryBytes,
        },
        { output: { stdout: (bytes) => (console += new TextDecoder().decode(bytes)) } },
      );
      machine.input.write(new TextEncoder().encode("hello\n"));
      expect(machine.run(limitUnits)).toEqual({ reason: "halted", value: 0 });
      expect(console).toContain("read: hello");
      // What `seq 3 | sha256sum` prints on any Linux.
      expect(console).toContain("14c5e74c4b96ccef41cd94db73a9ec3348038ac094feca4fd897cecffa07cdae");
    });
  },
);
