import { assemble } from "@ringside/isa";
import { nanoImage } from "@ringside/guest";
import { Host, type KernelGuest } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { hostBytesFor } from "../binary-translation-machine.ts";
import { binaryTranslation } from "../binary-translation.ts";
import {
  demonstrationKernel,
  runTrapAndEmulate,
  type TrapAndEmulateReport,
} from "./trap-and-emulate.ts";

const memoryBytes = 4 << 20;

function run(guest: KernelGuest): TrapAndEmulateReport {
  const host = Host.create({ memoryBytes: hostBytesFor(guest.memoryBytes) });
  return runTrapAndEmulate(host, guest, 5_000_000);
}

function assembled(source: string): KernelGuest {
  const { bytes } = assemble(`mov rsp, 0x200000\n${source}\nout 0xf4, eax\nhlt`, {
    address: 0x10_0000n,
  });
  return { kind: "kernel", format: "flat", image: bytes, commandLine: "", memoryBytes };
}

describe("trap-and-emulate", () => {
  test("loses the interrupt flag of a kernel that saves and restores its flags", () => {
    const { exit, silent } = run(demonstrationKernel());
    // The kernel sleeps for good with interrupts closed.
    expect(exit).toEqual({ reason: "halted" });
    const popf = silent.find(({ mnemonic }) => mnemonic === "popf");
    expect(popf).toMatchObject({
      times: 1,
      wrong: 1,
      difference: "IF stays 0, in ring 0 it becomes 1",
      why: "Outside its privilege it leaves IF and IOPL as they are instead of trapping.",
    });
  });

  test("is what translation mends: the same kernel ends as in ring 0", () => {
    const guest = demonstrationKernel();
    const host = Host.create({ memoryBytes: hostBytesFor(guest.memoryBytes) });
    using machine = binaryTranslation.create(host, guest);
    machine.input.end();
    expect(machine.run(5_000_000)).toEqual({ reason: "halted", value: 0 });
  });

  test("shows a kernel the processor's interrupt flag, privilege level and tables", () => {
    const { exit, silent } = run(
      assembled(`
        cli
        pushfq
        pop rax
        mov bx, cs
        sidt [rsp - 16]
        str cx
        smsw dx
        and eax, 0x200
      `),
    );
    expect(exit).toEqual({ reason: "powered-off", value: 0x200 });
    const differences = new Map(silent.map(({ mnemonic, difference }) => [mnemonic, difference]));
    expect(differences.get("pushf")).toBe(
      "it stored 0x0000000000000202, in ring 0 0x0000000000000002",
    );
    expect(differences.get("mov")).toBe("RBX is 0x9, in ring 0 0x8");
    expect(differences.get("sidt")).toMatch(/^it stored 0xffffffffffef/u);
  });

  test("counts what has the same effect anyway as harmless", () => {
    const { silent } = run(assembled("mov ecx, 3\nagain: mov ax, ds\ndec ecx\njnz again"));
    expect(silent).toMatchObject([{ mnemonic: "mov", times: 3, wrong: 0, difference: undefined }]);
  });

  test("runs a kernel whose sensitive instructions all trap", () => {
    const { exit, silent } = run({
      kind: "kernel",
      format: "elf64",
      image: nanoImage(),
      commandLine: "bench=divzero n=50",
      memoryBytes: 16 << 20,
    });
    expect(exit).toEqual({ reason: "powered-off", value: 0 });
    expect(silent.filter(({ wrong }) => wrong > 0)).toEqual([]);
  });
});
