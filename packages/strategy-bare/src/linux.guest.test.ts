/** Debian's stock kernel for clouds, which nobody here wrote, boots to a shell of Debian's busybox. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { initrd } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { bare } from "./index.ts";

const cached = (name: string): string =>
  fileURLToPath(new URL(`../../../.cache/debian/${name}`, import.meta.url));
/** An ELF with a PVH note: what vmlinuz holds, unpacked. */
const kernel = cached("vmlinux");
const busybox = cached("busybox");
const memoryBytes = 256 << 20;

const init = `#!/bin/busybox sh
/bin/busybox mkdir /proc
/bin/busybox mount -t proc proc /proc
/bin/busybox grep -c ttyS0 /proc/interrupts
i=0; while [ $i -lt 100 ]; do i=$((i+1)); done; echo counted to $i
read line; echo "read: $line"
/bin/busybox poweroff -f
`;

describe.skipIf(!existsSync(kernel) || !existsSync(busybox))(
  "Debian's kernel (pnpm guest:linux and pnpm guest:busybox fetch it and a shell)",
  () => {
    test("boots by PVH, runs a shell script, reads the serial line, and halts", () => {
      const archive = initrd([
        { path: "/init", mode: 0o755, data: new TextEncoder().encode(init) },
        { path: "/bin/busybox", mode: 0o755, data: readFileSync(busybox) },
      ]);
      let serial = "";
      using machine = bare.create(
        Host.create({ memoryBytes }),
        {
          kind: "kernel",
          image: readFileSync(kernel),
          format: "pvh",
          commandLine: "console=ttyS0 quiet cryptomgr.notests panic=-1",
          initrd: archive,
          memoryBytes,
        },
        { output: { stdout: (bytes) => (serial += new TextDecoder().decode(bytes)) } },
      );
      // Linux keeps a timer armed while it idles, so it never just waits.
      for (let slice = 0; slice < 200 && !serial.includes("counted to 100"); slice += 1) {
        expect(machine.run(10_000_000)).toEqual({ reason: "limit" });
      }
      expect(serial).toContain("counted to 100");
      machine.input.write(new TextEncoder().encode("hello\n"));
      expect(machine.run(1_000_000_000)).toEqual({ reason: "halted", value: undefined });
      expect(serial).toContain("1\r\n");
      expect(serial).toContain("read: hello");
    });
  },
);
