/** `ringside boot` as a user meets it, with kernels of a few instructions. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assemble } from "@ringside/isa";
import { kernelImage, userProgram } from "@ringside/guest";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cannotRun, ringsideIn, type Ended, type How } from "../testing/ringside-process.ts";

/** Writes "ready" to the serial port, then does what follows. */
const SAYS_READY = `
  mov ecx, 6
  lea rsi, [rip + text]
  mov edx, 0x3f8
  cld
next:
  lodsb
  out dx, al
  loop next
  jmp go_on
text: db "ready", 10
go_on:
`;
const HALTS = "cli\n hlt";
const LOOPS = "again: jmp again";
/** Reads the serial port until a "q" comes; writes each byte again. Then halts. */
const ECHOES = `
  mov edx, 0x3fc
  mov al, 3
  out dx, al
wait:
  mov edx, 0x3fd
  in al, dx
  test al, 1
  jz wait
  mov edx, 0x3f8
  in al, dx
  out dx, al
  cmp al, 'q'
  jne wait
  cli
  hlt`;
const WRITES_THREE = "mov al, 3\n out 0xf4, al\n hlt";
/** Ends with the seconds of the CMOS clock, as two decimal digits in four bits each. */
const TELLS_SECONDS = "mov al, 0\n out 0x70, al\n in al, 0x71\n out 0xf4, al\n hlt";
/** Without an IDT every exception is a triple fault. */
const CRASHES = "mov rax, 0x1234567890\n ud2";

let folder = "";
const boot = (args: readonly string[], how?: How): Promise<Ended> =>
  ringsideIn(folder, ["boot", ...args], how);
const bootFlat = (source: string, args: readonly string[] = [], how?: How): Promise<Ended> => {
  const name = `kernel-${(kernels += 1)}`;
  return writeFile(join(folder, name), assemble(source).bytes).then(() =>
    boot(["--kernel", name, "--format", "flat", "--memory", "4M", ...args], how),
  );
};
let kernels = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-boot-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(cannotRun)(
  "ringside boot (skipped where Node runs no TypeScript and nothing is built)",
  () => {
    test("ends with 0 when the guest halts for good, and has shown what it wrote", async () => {
      expect(await bootFlat(SAYS_READY + HALTS)).toEqual({
        status: 0,
        stdout: "ready\n",
        stderr: "",
      });
    });

    test("ends with the value that the guest writes to the exit port", async () => {
      expect(await bootFlat(WRITES_THREE)).toEqual({ status: 3, stdout: "", stderr: "" });
    });

    test("starts the guest's clock at --epoch", async () => {
      // 2001-09-09T01:46:40Z
      expect(await bootFlat(TELLS_SECONDS, ["--epoch", "1000000000"])).toMatchObject({
        status: 0x40,
      });
    });

    test("ends with 0 when the text of --until appears", async () => {
      expect(await bootFlat(SAYS_READY + LOOPS, ["--until", "ready\n"])).toMatchObject({
        status: 0,
        stdout: "ready\n",
      });
    });

    test("ends with 1 when the guest ends without that text", async () => {
      expect(await bootFlat(SAYS_READY + HALTS, ["--until", "login:"])).toEqual({
        status: 1,
        stdout: "ready\n",
        stderr: 'ringside: The guest ended and had not written "login:".\n',
      });
    });

    test("ends with 124 when the time is over", async () => {
      expect(await bootFlat(LOOPS, ["--timeout", "0.2"])).toEqual({
        status: 124,
        stdout: "",
        stderr: "ringside: The guest still ran after 0.2 s.\n",
      });
    });

    test("ends with 134 when the guest breaks its machine, and shows registers and code", async () => {
      const { status, stderr } = await bootFlat(CRASHES);
      expect(status).toBe(134);
      expect(stderr).toContain("ringside: The guest broke its machine: Triple fault");
      expect(stderr).toMatch(/^rax {5}0000001234567890/mu);
      expect(stderr).toMatch(/^Code at 0x10000a:\n {2}000000000010000a {2}0f 0b +ud2$/mu);
    });

    test("ends with 130 after Ctrl-C", async () => {
      const { status } = await bootFlat(SAYS_READY + LOOPS, [], { interruptOn: "ready" });
      expect(status).toBe(130);
    });

    test("gives standard input to the guest's serial port", async () => {
      expect(await bootFlat(ECHOES, [], { input: "abcq" })).toMatchObject({
        status: 0,
        stdout: "abcq",
      });
    });

    test("says with --stats how much was done", async () => {
      const { stderr } = await bootFlat(SAYS_READY + HALTS, ["--stats"]);
      expect(stderr).toMatch(/^instructions {2}25 \(ring 0 100\.0 %\)$/mu);
      expect(stderr).toMatch(/^wall time {5}\d+\.\d\d s, \d+\.\d MIPS$/mu);
      expect(stderr).toMatch(/^host time {5}\d+\.\d\d s of its processors$/mu);
      expect(stderr).toMatch(/^memory {8}4 MiB of the guest, \d+ MiB of this process$/mu);
    });

    test("says in one line what is wrong with a file or an argument", async () => {
      const damaged = join(folder, "damaged");
      await writeFile(damaged, kernelImage().subarray(0, 200));
      const kernel = join(folder, "kernel.elf");
      await writeFile(kernel, kernelImage());
      const large = join(folder, "large");
      await writeFile(large, new Uint8Array(2 << 20));
      const bzImage = join(folder, "bzImage");
      const header = new Uint8Array(2048);
      header.set([0x55, 0xaa, 0, 0, 0x48, 0x64, 0x72, 0x53, 0x0f, 2], 0x1fe);
      await writeFile(bzImage, header);
      const notes = join(folder, "notes");
      await writeFile(notes, "hello");
      const program = join(folder, "program");
      await writeFile(program, userProgram("init"));
      const cases = [
        [["--kernel", "none"], "none cannot be read (ENOENT)."],
        [["--kernel", folder], `${folder} cannot be read (EISDIR).`],
        [["--kernel", damaged], `${damaged} is damaged. ELF: at offset`],
        [["--kernel", notes], `${notes} is no kernel: expected a bzImage`],
        [["--kernel", program], `${program} is no kernel: it is an ELF of 64 bits with neither`],
        [["--kernel", kernel, "--initrd", notes], `${notes} is no initrd: at offset 0x0`],
        [["--kernel", kernel, "--memory", "1M"], "--memory is 1048576 bytes. Give a multiple"],
        [["--kernel", kernel, "--memory", "4G"], "from 2M to 3072M, such as 512M."],
        [
          ["--kernel", kernel, "--memory", "3072M", "--strategy", "vtx"],
          "--memory 3072M is more than can be had, with what vtx needs beside it.",
        ],
        [["--kernel", large, "--format", "flat", "--memory", "2M"], "Give more --memory."],
        [["--kernel", bzImage], `${bzImage} is damaged: the checksum at its end`],
        [
          ["--kernel", bzImage, "--format", "pvh"],
          `${bzImage} is damaged: the checksum at its end`,
        ],
        [["--kernel", kernel, "--memory", "5000"], "--memory is 5000 bytes. Give a multiple"],
        [["--kernel", kernel, "--strategy", "none"], 'There is no strategy "none".'],
        [["--kernel", kernel, "--strategy", "container"], "container does not run this kernel:"],
        [["--kernel", kernel, "--disk", "none.img"], "none.img cannot be opened as a disk image"],
        [["--kernel", kernel, "--share", "nowhere"], "nowhere cannot be opened as a folder"],
        [
          ["--kernel", kernel, "--cpu", "486"],
          "Give one of x86-64-v1, x86-64-v2, x86-64-v2-system.",
        ],
        [["--kernel", kernel, "--net", "bridge"], "Allowed choices are user, none"],
        [["--kernel", kernel, "--gdb", "65536"], "Give a port such as 1234"],
        [["--kernel", kernel, "--timeout", "soon"], "Give seconds, more than 0"],
        [["--kernel", kernel, "--epoch", "-1"], "Give whole seconds since 1970"],
        [["--kernel", kernel, "--module", "none quiet"], "none cannot be read (ENOENT)."],
        [["--kernel", kernel, "--until", ""], "Give the text to wait for."],
      ] as const;
      for (const [args, message] of cases) {
        const { status, stdout, stderr } = await boot(args);
        expect({ args, status, stdout }).toEqual({ args, status: 125, stdout: "" });
        expect(stderr).toContain(message);
        expect(stderr).toMatch(/^ringside: /u);
        expect(stderr).not.toContain("    at ");
      }
    });
  },
);
