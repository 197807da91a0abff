/**
 * Debian's stock kernels use the whole PC: without ACPI's tables, and with each virtio device.
 *
 * `pnpm guest:linux`, `pnpm guest:busybox` and `pnpm guest:xen` fetch what runs here, `pnpm guest:debian` makes the disk of
 * the last test.
 * What is not there shows as skipped.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { createServer as createWebServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initrd } from "@ringside/guest";
import { processorProfiles, type ProcessorProfile } from "@ringside/isa";
import {
  ConsoleLine,
  EthernetSwitch,
  MemoryStore,
  OverlayStore,
  unpackKernel,
  UserNetwork,
  type BootModule,
  type Hardware,
} from "@ringside/machine";
import { nodeSockets, openDisk, openFolder } from "@ringside/machine-node";
import { Host, type KernelFormat, type VirtualMachine } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { bare } from "./index.ts";

const cached = (name: string): string =>
  fileURLToPath(new URL(`../../../.cache/debian/${name}`, import.meta.url));
const hasAll = (...names: readonly string[]): boolean =>
  names.every((name) => existsSync(cached(name)));
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const memoryBytes = 256 << 20;
/** Far more than any of these needs. */
const limitUnits = 20_000_000_000;
const sliceUnits = 10_000_000;
const usual = "console=ttyS0 quiet cryptomgr.notests panic=-1";

/** The kernel's drivers, then a script in a shell of busybox, with /proc and /sys. */
function archive(script: string): Uint8Array {
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /etc /mnt
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do [ -e $module ] && insmod $module; done
${script}
echo the script is over
exec setsid cttyhack sh
`;
  const base = initrd([
    { path: "/init", mode: 0o755, data: bytesOf(init) },
    { path: "/bin/busybox", mode: 0o755, data: readFileSync(cached("busybox")) },
    { path: "/bin/dhcp", mode: 0o755, data: bytesOf(dhcpScript) },
  ]);
  return base;
}

const dhcpScript = `#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip addr add $ip/24 dev eth0
ip route add default via $router
echo "nameserver $dns" >/etc/resolv.conf
`;

/** Modules first: an initrd may be several archives. */
function withModules(script: string): Uint8Array {
  const modules = readFileSync(cached("modules.cpio"));
  const base = archive(script);
  // Each archive begins at a multiple of four bytes.
  const start = Math.ceil(modules.length / 512) * 512;
  const joined = new Uint8Array(start + base.length);
  joined.set(modules);
  joined.set(base, start);
  return joined;
}

interface Running {
  readonly machine: VirtualMachine;
  readonly serial: () => string;
  /** Runs until `text` has come behind what was waited for before. */
  readonly until: (text: string) => void;
  readonly type: (text: string) => void;
}

function boot(
  image: Uint8Array,
  format: KernelFormat,
  archiveBytes: Uint8Array | undefined,
  hardware: Hardware,
  options: {
    commandLine?: string;
    memoryBytes?: number;
    modules?: readonly BootModule[];
    processor?: ProcessorProfile | undefined;
  } = {},
): Running {
  const size = options.memoryBytes ?? memoryBytes;
  let serial = "";
  let seen = 0;
  const machine = bare.create(
    Host.create({ memoryBytes: size }),
    {
      kind: "kernel",
      image,
      format,
      commandLine: `${usual} ${options.commandLine ?? ""}`,
      ...(archiveBytes === undefined ? {} : { initrd: archiveBytes }),
      ...(options.modules === undefined ? {} : { modules: options.modules }),
      memoryBytes: size,
      hardware,
    },
    {
      ...(options.processor === undefined ? {} : { processor: options.processor }),
      output: { stdout: (bytes) => (serial += new TextDecoder().decode(bytes)) },
    },
  );
  return {
    machine,
    serial: () => serial,
    until(text) {
      for (let spent = 0; spent < limitUnits; spent += sliceUnits) {
        const at = serial.indexOf(text, seen);
        if (at >= 0) {
          seen = at + text.length;
          return;
        }
        const exit = machine.run(sliceUnits);
        expect(exit, serial.slice(-2000)).toEqual({ reason: "limit" });
      }
      throw new Error(`"${text}" did not come: ${serial.slice(-2000)}`);
    },
    type: (text) => machine.input.write(bytesOf(text)),
  };
}

describe.skipIf(!hasAll("vmlinuz", "vmlinuz-generic", "busybox"))(
  "Debian's kernels on a PC without tables (pnpm guest:linux, pnpm guest:busybox)",
  () => {
    // The command's own test boots them with tables, every other way.
    test.each([
      ["the kernel for clouds", "vmlinuz", "bzimage32"],
      ["the generic kernel", "vmlinuz-generic", "pvh"],
    ] as const)("%s (%s) boots as %s to a shell that takes commands", async (_, name, format) => {
      const file = readFileSync(cached(name));
      const image = format === "pvh" ? await unpackKernel(file) : file;
      const running = boot(image, format, archive("cat /proc/interrupts"), { acpi: false });
      using machine = running.machine;
      running.until("the script is over");
      expect(running.serial()).toContain("XT-PIC");
      expect(running.serial()).not.toContain("IO-APIC");
      running.type("echo $((6 * 7)) is the answer\n");
      running.until("42 is the answer");
      running.type("poweroff -f\n");
      // Only ACPI really switches off; without it Linux halts for good.
      expect(machine.run(limitUnits)).toEqual({ reason: "halted", value: undefined });
      expect(running.serial()).not.toContain("Power down");
    });
  },
);

describe.skipIf(!hasAll("vmlinux", "busybox", "modules.cpio"))(
  "virtio devices under Debian's drivers (pnpm guest:linux, pnpm guest:busybox)",
  () => {
    const kernel = (): Uint8Array => readFileSync(cached("vmlinux"));

    test.each([
      ["messages", "", "PCI-MSI"],
      ["lines of the I/O APIC", "pci=nomsi", "IO-APIC"],
      ["lines of the 8259", "acpi=off pci=nomsi", "XT-PIC"],
    ])("a disk is written, read back, and not changed underneath: %s", (_, commandLine, kind) => {
      const base = Uint8Array.from({ length: 16 << 20 }, (__, at) => (at >> 12) & 0xff);
      const original = sha256(base);
      const overlay = new OverlayStore(new MemoryStore(base));
      const script = `
grep virtio0 /proc/interrupts
cat /sys/block/vda/serial
sha256sum /dev/vda
mke2fs /dev/vda >/dev/null 2>&1
mount -t ext2 /dev/vda /mnt && echo kept >/mnt/file && umount /mnt
mount -t ext2 /dev/vda /mnt && cat /mnt/file
cat /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c`;
      const hardware = { disks: [{ store: overlay, serial: "RINGSIDE-7" }], entropySeed: 7 };
      const running = boot(kernel(), "pvh", withModules(script), hardware, { commandLine });
      using machine = running.machine;
      running.until("the script is over");
      const serial = running.serial();
      expect(serial).toContain(kind);
      expect(serial).toContain("RINGSIDE-7");
      expect(serial).toContain(`${original}  /dev/vda`);
      expect(serial).toContain("kept\r\n");
      expect(sha256(base)).toBe(original);
      expect(overlay.changedBytes).toBeGreaterThan(0);
      expect(serial).toMatch(/virtio_rng\.0\r\n16\r\n/u);
      expect(machine.state).toBe("paused");
    });

    test("a folder is mounted for reading, and another one for writing", () => {
      const folder = mkdtempSync(join(tmpdir(), "ringside-share-"));
      const other = mkdtempSync(join(tmpdir(), "ringside-share-"));
      const big = Uint8Array.from({ length: 1_000_000 }, (_, at) => (at * 7) & 0xff);
      writeFileSync(join(folder, "hello"), "hello from the host\n");
      writeFileSync(join(folder, "big"), big);
      const script = `
mount -t virtiofs work /mnt
ls /mnt
cat /mnt/hello
sha256sum /mnt/big
echo no >/mnt/new || echo refused
mkdir /other
mount -t virtiofs other /other
mkdir /other/made && cp /mnt/big /other/made/copy && mv /other/made/copy /other/moved
echo one >/other/lines; echo two >>/other/lines; chmod 600 /other/lines
ln -s nowhere /other/link; touch -h -d '2001-02-03 04:05:06' /other/link
touch -d '2001-02-03 04:05:06' /other/lines /other/moved; touch /other/lines
ls -a /other | head -2; chown 7 /other/moved || echo kept
rmdir /other/made; umount /other; echo over`;
      const hardware = {
        shares: [
          { tag: "work", folder: openFolder(folder) },
          { tag: "other", folder: openFolder(other, { writable: true }) },
        ],
      };
      const running = boot(kernel(), "pvh", withModules(script), hardware);
      using machine = running.machine;
      running.until("the script is over");
      expect(running.serial()).toContain("hello from the host");
      expect(running.serial()).toContain(`${sha256(big)}  /mnt/big`);
      expect(running.serial()).toContain("refused");
      expect(machine.state).toBe("paused");
      expect(readdirSync(other).toSorted()).toEqual(["lines", "link", "moved"]);
      expect(running.serial()).toMatch(/^\.\s+\.\.\s/mu);
      expect(running.serial()).toMatch(/^kept\s+over/mu);
      const yearOf = (name: string): number => lstatSync(join(other, name)).mtime.getUTCFullYear();
      expect([yearOf("link"), yearOf("moved")]).toEqual([2001, 2001]);
      expect(yearOf("lines")).toBeGreaterThan(2001);
      expect(sha256(readFileSync(join(other, "moved")))).toBe(sha256(big));
      expect(readFileSync(join(other, "lines"), "utf8")).toBe("one\ntwo\n");
      expect(statSync(join(other, "lines")).mode & 0o777).toBe(0o600);
      for (const path of [folder, other]) rmSync(path, { recursive: true });
    });

    test("a console beside the serial port carries lines both ways, and firmware files are read", () => {
      let output = "";
      const line = new ConsoleLine((bytes) => (output += new TextDecoder().decode(bytes)));
      const script = `
cat /sys/firmware/qemu_fw_cfg/by_name/opt/greeting/raw
echo this goes to hvc0 >/dev/hvc0
echo listening
head -n 1 /dev/hvc0`;
      const hardware = {
        consoles: [line],
        firmwareFiles: new Map([["opt/greeting", bytesOf("from the firmware\n")]]),
      };
      const running = boot(kernel(), "pvh", withModules(script), hardware);
      using machine = running.machine;
      running.until("from the firmware");
      running.until("listening");
      expect(output).toContain("this goes to hvc0");
      line.write(bytesOf("typed on hvc0\n"));
      running.until("typed on hvc0");
      expect(machine.state).toBe("paused");
    });

    const network = `
ip link set lo up; ip link set eth0 up
udhcpc -i eth0 -n -q -s /bin/dhcp >/dev/null 2>&1`;

    test("a network reaches servers of the host by TCP, in both directions", async () => {
      const big = Buffer.alloc(2_000_000, "ringside ");
      const web = createWebServer((_, response) => void response.end(big));
      let received = 0;
      const sink = createServer((socket) => {
        socket.on("data", (bytes: Buffer) => (received += bytes.length));
        socket.on("end", () => socket.end("thanks\n"));
      });
      for (const server of [web, sink]) {
        await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
      }
      const [webPort, sinkPort] = [web, sink].map(
        (server) => (server.address() as AddressInfo).port,
      );
      const script = `${network}
ip addr show eth0 | grep 'inet '
ping -c 1 10.0.2.2 | grep ' 0% packet loss'
ping -c 1 -s 4000 10.0.2.2 | grep '4008 bytes from'
nslookup localhost | grep 127.0.0.1
wget -q -O - http://10.0.2.2:${webPort}/ | sha256sum
dd if=/dev/zero bs=1000 count=1500 2>/dev/null | nc 10.0.2.2 ${sinkPort}
wget -O - http://10.0.2.2:1/ 2>&1 | grep refused
poweroff -f`;
      const hardware = { networks: [{ link: new UserNetwork(nodeSockets()) }] };
      const running = boot(kernel(), "pvh", withModules(script), hardware);
      using machine = running.machine;
      expect(await machine.start({ limitUnits })).toEqual({ reason: "halted", value: undefined });
      const serial = running.serial();
      expect(serial).toContain("inet 10.0.2.15/24");
      expect(serial).toContain(" 0% packet loss");
      expect(serial).toContain("4008 bytes from 10.0.2.2");
      expect(serial).toContain("127.0.0.1");
      expect(serial).toContain(sha256(big));
      expect(serial).toContain("thanks");
      expect(received).toBe(1_500_000);
      expect(serial).toContain("Connection refused");
      for (const server of [web, sink]) await new Promise((resolve) => void server.close(resolve));
    });

    test("twenty connections at once all bring everything", async () => {
      const part = Buffer.alloc(300_000, "ringside ");
      const web = createWebServer((_, response) => void response.end(part));
      await new Promise<void>((resolve) => void web.listen(0, "127.0.0.1", resolve));
      const { port } = web.address() as AddressInfo;
      // Together they fill the card: what it drops must come again.
      const script = `${network}
for each in $(seq 20); do wget -q -O - http://10.0.2.2:${port}/ >/tmp/part$each & done
wait
sha256sum /tmp/part* | cut -c 1-64 | sort | uniq -c
poweroff -f`;
      const hardware = { networks: [{ link: new UserNetwork(nodeSockets()) }] };
      const running = boot(kernel(), "pvh", withModules(script), hardware);
      using machine = running.machine;
      expect(await machine.start({ limitUnits })).toEqual({ reason: "halted", value: undefined });
      expect(running.serial()).toContain(`20 ${sha256(part)}`);
      await new Promise((resolve) => void web.close(resolve));
    });

    test("two machines on a switch talk to each other", async () => {
      const hub = new EthernetSwitch();
      const start = (last: number, script: string): Running => {
        const card = { link: hub.port(), address: [0x52, 0x54, 0, 0, 0, last] };
        const set = `ip link set eth0 up; ip addr add 192.168.7.${last}/24 dev eth0\n`;
        return boot(kernel(), "pvh", withModules(set + script), { networks: [card] });
      };
      const server = start(1, "echo the answer of the other | nc -l -p 4000\npoweroff -f");
      const client = start(
        2,
        "until nc 192.168.7.1 4000 2>/dev/null | grep answer; do sleep 1; done\npoweroff -f",
      );
      using first = server.machine;
      using second = client.machine;
      const exits = await Promise.all([first, second].map((each) => each.start({ limitUnits })));
      expect(exits.map(({ reason }) => reason)).toEqual(["halted", "halted"]);
      expect(client.serial()).toContain("the answer of the other");
    });
  },
);

describe.skipIf(!hasAll("xen", "vmlinuz-generic", "busybox"))(
  "Xen (pnpm guest:xen, guest:linux and guest:busybox)",
  () => {
    test("boots by Multiboot, and Debian's kernel on it as its dom0", async () => {
      const modules = [
        {
          // MSR 0x179 is not there, which Xen reads for this driver without asking.
          commandLine:
            "vmlinux console=hvc0 cryptomgr.notests initcall_blacklist=xen_late_init_mcelog",
          bytes: await unpackKernel(readFileSync(cached("vmlinuz-generic"))),
        },
        { commandLine: "initrd", bytes: archive("cat /sys/hypervisor/type") },
      ];
      const running = boot(
        readFileSync(cached("xen")),
        "multiboot",
        undefined,
        {},
        {
          // Its real-mode code would call a BIOS.
          commandLine: "com1=115200,8n1 console=com1 dom0_mem=320M no-real-mode edd=off",
          memoryBytes: 512 << 20,
          modules,
          // Xen takes the memory type registers for granted.
          processor: processorProfiles.get("x86-64-v2-system"),
        },
      );
      using machine = running.machine;
      running.until("Xen version ");
      running.until("the script is over");
      expect(running.serial()).toMatch(/^xen\s+the script/mu);
      expect(machine.state).toBe("paused");
    });
  },
);

describe.skipIf(!hasAll("root.ext4", "root.vmlinuz", "root.initrd"))(
  "a Debian system on a virtio disk (pnpm guest:debian)",
  () => {
    test(
      "boots by its own init to a login, and its programs work",
      { timeout: 900_000 },
      async () => {
        const web = createWebServer((_, response) => void response.end("served by the host\n"));
        await new Promise<void>((resolve) => void web.listen(0, "127.0.0.1", resolve));
        const { port } = web.address() as AddressInfo;
        using disk = openDisk(cached("root.ext4"));
        const running = boot(
          await unpackKernel(readFileSync(cached("root.vmlinuz"))),
          "pvh",
          readFileSync(cached("root.initrd")),
          {
            disks: [{ store: disk }],
            entropySeed: 1,
            networks: [{ link: new UserNetwork(nodeSockets()) }],
          },
          { commandLine: "root=/dev/vda ro", memoryBytes: 512 << 20 },
        );
        using machine = running.machine;
        running.until("login: ");
        running.type("root\n");
        running.until("# ");
        // The prompt is put together, so that its echo is not taken for it.
        running.type('PS1="rea""dy> " TERM=dumb; stty -echo\n');
        running.until("ready> ");
        const commands = [
          ["apt --version", "amd64)"],
          ["python3 -c 'print(sum(x * x for x in range(1000)))'", "332833500"],
          ["perl -e 'print join(q(,), map { $_ ** 2 } 1 .. 5), qq(\\n)'", "1,4,9,16,25"],
          [
            "echo 'int puts(const char *); int main() { puts(\"compiled here\"); }' >t.c; gcc -O1 t.c && ./a.out",
            "compiled here",
          ],
          [
            "sqlite3 :memory: 'create table t(a); insert into t values (1), (2), (39); select sum(a) from t'",
            "42",
          ],
        ] as const;
        for (const [command, answer] of commands) {
          running.type(`${command}\n`);
          running.until(answer);
          running.until("ready> ");
        }
        running.type(
          `dhclient $(ls /sys/class/net | grep -v lo); curl -s http://10.0.2.2:${port}/; poweroff\n`,
        );
        expect(await machine.start({ limitUnits })).toEqual({ reason: "halted", value: undefined });
        expect(running.serial()).toContain("served by the host");
        await new Promise((resolve) => void web.close(resolve));
      },
    );
  },
);
