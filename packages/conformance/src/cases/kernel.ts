/** Guests that are whole kernels: how they end, crash and talk. */
import { nanoImage } from "@ringside/guest";
import { assemble } from "@ringside/isa";
import type { KernelFormat, KernelGuest } from "@ringside/strategy";
import type { ConformanceCase } from "../conformance-case.ts";
import { Capture, execute, outcome } from "../execution.ts";
import { expectEqual, expectError, expectTrue } from "../expect.ts";

/** A flat kernel: this code at 1 MiB in 64-bit mode, with a stack at 2 MiB. */
function flatKernel(source: string): KernelGuest {
  return {
    kind: "kernel",
    format: "flat",
    image: assemble(`mov rsp, 0x200000\n${source}`, { address: 0x10_0000n }).bytes,
    commandLine: "",
    memoryBytes: 8 * 1024 * 1024,
  };
}

/** Points the vectors 6 (#UD) and 14 (#PF) of a new IDT at `handler`. */
const catchFaults = `
    lea rax, [rel handler]
    mov rdi, 0x300000
    mov [rdi + 0x60], ax
    mov word [rdi + 0x62], 0x08
    mov word [rdi + 0x64], 0x8e00
    shr rax, 16
    mov [rdi + 0x66], ax
    shr rax, 16
    mov [rdi + 0x68], eax
    mov rax, [rdi + 0x60]
    mov [rdi + 0xe0], rax
    mov rax, [rdi + 0x68]
    mov [rdi + 0xe8], rax
    mov rsi, 0x301000
    mov word [rsi], 0xfff
    mov [rsi + 2], rdi
    lidt [rsi]
`;

/** The triple fault: an exception with an empty IDT. */
const tripleFaults = `
    xor eax, eax
    push rax
    push rax
    lidt [rsp]
    mov ebx, 0x1234
    ud2
`;

/** The test kernel of the nanobenchmarks, entered in one of its two ways. */
function nano(format: KernelFormat): KernelGuest {
  return {
    kind: "kernel",
    format,
    image: nanoImage(),
    commandLine: "bench=divzero n=100",
    memoryBytes: 16 * 1024 * 1024,
  };
}

/** A Multiboot kernel that powers off with the magic in EAX and writes the first letters of its command line. */
function multibootKernel(): KernelGuest {
  const base = 0x20_0000;
  const { bytes } = assemble(
    `
      bits 32
      magic equ 0x1badb002
      flags equ 0x10000
      dd magic, flags, 0x100000000 - magic - flags
      dd ${base}, ${base}, 0, 0, ${base + 32}
    start:
      mov edx, [ebx + 16]
      mov ecx, 2
    again:
      mov al, [edx]
      out 0xe9, al
      inc edx
      loop again
      mov eax, 0x2badb002
      out 0xf4, eax
      hlt
    `,
    { address: BigInt(base), mode: 32 },
  );
  return {
    kind: "kernel",
    format: "multiboot",
    image: bytes,
    commandLine: "ok",
    memoryBytes: 8 * 1024 * 1024,
  };
}

/** Looks for an HPET of 10 ns in memory and an entropy device on the PCI bus, says ok, and switches off by ACPI. */
const readsHardware = `
    mov rcx, 0xfed00000
    cmp dword [rcx + 4], 10000000
    jne wrong
    mov dx, 0xcf8
    mov eax, 0x80000800
    out dx, eax
    mov dx, 0xcfc
    in eax, dx
    cmp eax, 0x10441af4
    jne wrong
    mov al, 0x6f
    out 0xe9, al
    mov al, 0x6b
    out 0xe9, al
    mov dx, 0x604
    mov ax, 0x3400
    out dx, ax
  wrong:
    cli
    hlt
`;

export const kernelCases: readonly ConformanceCase[] = [
  {
    name: "refuses kernels, with a sentence, when it says that it runs none",
    lacks: "kernels",
    run({ strategy, host }) {
      const guest = flatKernel("hlt");
      const acceptance = strategy.accepts(guest);
      expectTrue(!acceptance.accepted && acceptance.reason.length > 10, "a reason for people");
      expectError("guest-refused", () => strategy.create(host, guest), "create");
    },
  },
  {
    name: "reports the value with which a kernel powers off",
    requires: "kernels",
    run(subject) {
      const { exit } = execute(subject, flatKernel("mov eax, 0xfedc\n out 0xf4, eax\n hlt"));
      expectEqual(exit, { reason: "halted", value: 0xfedc }, "the exit");
    },
  },
  {
    name: "reports a kernel that halts for good",
    requires: "kernels",
    run(subject) {
      const { exit } = execute(subject, flatKernel("cli\n hlt"));
      expectEqual(exit, { reason: "halted", value: undefined }, "the exit");
    },
  },
  {
    name: "carries a kernel's serial port and debug console",
    requires: "kernels",
    run({ strategy, host }) {
      const capture = new Capture();
      const guest = flatKernel(`
          mov dx, 0x3fc
          mov al, 3
          out dx, al
        poll:
          mov dx, 0x3fd
          in al, dx
          test al, 1
          jz poll
          mov dx, 0x3f8
          in al, dx
          out dx, al
          out 0xe9, al
          cmp al, '.'
          jne poll
          xor eax, eax
          out 0xf4, eax
          hlt
      `);
      using vm = strategy.create(host, guest, { output: capture.listeners });
      vm.input.write(new TextEncoder().encode("echo."));
      const exit = vm.run(10_000_000);
      expectEqual(exit, { reason: "halted", value: 0 }, "the exit");
      expectEqual(
        [capture.text("stdout"), capture.text("log")],
        ["echo.", "echo."],
        "the consoles",
      );
    },
  },
  {
    name: "crashes a kernel with a triple fault, and shows its registers",
    requires: "kernels",
    run({ strategy, host }) {
      using vm = strategy.create(host, flatKernel(tripleFaults));
      const exit = vm.run(1_000_000);
      if (exit.reason !== "crashed") throw new Error(`expected a crash, got ${exit.reason}`);
      expectTrue(exit.why.length > 0, "the crash says why");
      expectEqual(exit.registers["rbx"], 0x1234n, "RBX in the report");
      expectEqual(vm.state, "crashed", "the state");
      expectError("wrong-state", () => vm.run(1), "run after a crash");
      vm.reset();
      expectEqual(vm.run(1_000_000), exit, "the same crash after a reset");
    },
  },
  {
    name: "spends the limit of a kernel that faults without end",
    requires: "kernels",
    run(subject) {
      const endless = `${catchFaults}\n again:\n ud2\n handler:\n iretq`;
      const execution = execute(subject, flatKernel(endless), { limitUnits: 300_000 });
      expectEqual(execution.exit, { reason: "limit" }, outcome(execution));
      expectEqual(execution.units, 300_000, "units spent");
    },
  },
  {
    name: "lets a kernel handle its page faults",
    requires: "kernels",
    run(subject) {
      // 4 GiB and above is not mapped. The handler skips the load of 2 bytes.
      const { exit } = execute(
        subject,
        flatKernel(`
          ${catchFaults}
          mov rax, 0x100000000
          mov cl, [rax]
          mov eax, ebx
          out 0xf4, eax
          hlt
        handler:
          mov rbx, cr2
          shr rbx, 32
          add rsp, 8
          add qword [rsp], 2
          iretq
        `),
      );
      expectEqual(exit, { reason: "halted", value: 1 }, "the upper half of CR2");
    },
  },
  {
    name: "keeps a kernel that jumps into nothing inside its machine",
    requires: "kernels",
    run(subject) {
      const { exit } = execute(subject, flatKernel("mov rax, 0xfffff00000000000\n jmp rax"), {
        limitUnits: 1_000_000,
      });
      expectEqual(exit.reason, "crashed", "the exit");
    },
  },
  {
    name: "enters one kernel in 64-bit mode and by PVH, with the same result",
    requires: "kernels",
    run(subject) {
      const formats: readonly KernelFormat[] = ["elf64", "pvh"];
      const results = formats
        .map((format) => nano(format))
        .filter((guest) => subject.strategy.accepts(guest).accepted)
        .map((guest) => execute(subject, guest));
      for (const execution of results) {
        expectEqual(execution.exit, { reason: "halted", value: 0 }, outcome(execution));
        expectTrue(execution.log.length > 0, "the kernel printed its checksum");
        expectEqual(execution.log, results[0]?.log, "what the kernel printed");
      }
    },
  },
  {
    name: "enters a Multiboot kernel with its command line, or says why not",
    requires: "kernels",
    run(subject) {
      const guest = multibootKernel();
      const acceptance = subject.strategy.accepts(guest);
      if (!acceptance.accepted) {
        expectTrue(acceptance.reason.length > 10, "a reason for people");
        return;
      }
      const execution = execute(subject, guest);
      expectEqual(execution.exit, { reason: "halted", value: 0x2bad_b002 }, outcome(execution));
      expectEqual(new TextDecoder().decode(execution.log), "ok", "the command line");
    },
  },
  {
    name: "gives a kernel the whole PC that it asks for, or says why not",
    requires: "kernels",
    run(subject) {
      const guest: KernelGuest = { ...flatKernel(readsHardware), hardware: { entropySeed: 1 } };
      const acceptance = subject.strategy.accepts(guest);
      if (!acceptance.accepted) {
        expectTrue(acceptance.reason.length > 10, "a reason for people");
        return;
      }
      const execution = execute(subject, guest);
      expectEqual(execution.exit, { reason: "halted", value: undefined }, outcome(execution));
      expectEqual(new TextDecoder().decode(execution.log), "ok", "what the kernel found");
    },
  },
  ...(["elf64", "pvh", "multiboot"] as const).map((format): ConformanceCase => ({
    name: `refuses garbage as a kernel in the format ${format}`,
    requires: "kernels",
    run({ strategy, host }) {
      const image = Uint8Array.from({ length: 5000 }, (_, index) => (index * 73) & 0xff);
      for (const bytes of [new Uint8Array(), image, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46)]) {
        const guest: KernelGuest = { ...flatKernel("hlt"), format, image: bytes };
        if (!strategy.accepts(guest).accepted) continue;
        expectError("invalid-guest", () => strategy.create(host, guest), `${bytes.length} bytes`);
      }
      expectEqual(host.freeBytes, host.memoryBytes, "free memory afterwards");
    },
  })),
  {
    name: "shows where a kernel is, and its memory",
    requires: "kernels",
    run({ strategy, host }) {
      using vm = strategy.create(host, flatKernel("mov ebx, 77\n again: jmp again"));
      vm.run(100);
      expectEqual(vm.inspect.registers()["rbx"], 77n, "RBX");
      const rip = vm.inspect.registers()["rip"] ?? 0n;
      expectEqual(vm.inspect.readMemory(rip, 2), Uint8Array.of(0xeb, 0xfe), "the code at RIP");
      expectEqual(vm.inspect.translate(rip), Number(rip), "the physical address of RIP");
      expectEqual(vm.inspect.readMemory(0x1_0000_0000n, 1), undefined, "memory that is not mapped");
    },
  },
];
