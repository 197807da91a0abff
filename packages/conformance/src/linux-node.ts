/**
 * Debian's stock kernel for clouds, which nobody here wrote, boots to a shell of Debian's busybox.
 *
 * For Node, and for hosts that have both: `pnpm guest:linux` and `pnpm guest:busybox` fetch them. Without them the test
 * shows as skipped.
 *
 * @packageDocumentation
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { initrd } from "@ringside/guest";
import { Host, type KernelFormat, type Strategy } from "@ringside/strategy";
import { describe, expect, test } from "vitest";

const cached = (name: string): string =>
  fileURLToPath(new URL(`../../../.cache/debian/${name}`, import.meta.url));
const busybox = cached("busybox");
const memoryBytes = 256 << 20;
/** Beside the guest's memory: page tables and the like. */
const hostBytes = memoryBytes + (16 << 20);
const sliceUnits = 10_000_000;
/** Several times what the kernel needs to get to the script. */
const slicesMaximum = 200;

const init = `#!/bin/busybox sh
/bin/busybox mkdir /proc
/bin/busybox mount -t proc proc /proc
/bin/busybox grep -c ttyS0 /proc/interrupts
i=0; while [ $i -lt 100 ]; do i=$((i+1)); done; echo counted to $i
read line; echo "read: $line"
/bin/busybox poweroff -f
`;

/** Registers the test for one strategy that takes kernels. Call it at the top level of a `.guest.test.ts` file. */
export function describeLinux(strategy: Strategy, format: KernelFormat): void {
  // By its note, the kernel is entered as what vmlinuz holds, unpacked.
  const kernel = cached(format === "pvh" ? "vmlinux" : "vmlinuz");
  describe.skipIf(!existsSync(kernel) || !existsSync(busybox))(
    `${strategy.id} and Debian's kernel (pnpm guest:linux and pnpm guest:busybox fetch it and a shell)`,
    () => {
      test(`boots as ${format}, runs a shell script, reads the serial line, and halts`, () => {
        const archive = initrd([
          { path: "/init", mode: 0o755, data: new TextEncoder().encode(init) },
          { path: "/bin/busybox", mode: 0o755, data: readFileSync(busybox) },
        ]);
        let serial = "";
        using machine = strategy.create(
          Host.create({ memoryBytes: hostBytes }),
          {
            kind: "kernel",
            image: readFileSync(kernel),
            format,
            commandLine: "console=ttyS0 quiet cryptomgr.notests panic=-1",
            initrd: archive,
            memoryBytes,
          },
          { output: { stdout: (bytes) => (serial += new TextDecoder().decode(bytes)) } },
        );
        // Linux keeps a timer armed while it idles, so it never just waits.
        for (let slice = 0; slice < slicesMaximum; slice += 1) {
          if (serial.includes("counted to 100")) break;
          expect(machine.run(sliceUnits)).toEqual({ reason: "limit" });
        }
        expect(serial).toContain("counted to 100");
        machine.input.write(new TextEncoder().encode("hello\n"));
        expect(machine.run(1_000_000_000)).toEqual({ reason: "halted", value: undefined });
        expect(serial).toContain("1\r\n");
        expect(serial).toContain("read: hello");
      });
    },
  );
}
