import { assemble, HostMemory } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { enterKernel, loadKernel } from "./loaders/kernel.ts";
import { Machine, type MachineExit } from "./machine.ts";

const memoryBytes = 4 * 1024 * 1024;

/** A machine whose guest is this code at 1 MiB, entered in 64-bit mode with a stack. */
class Setup {
  readonly serial: number[] = [];
  readonly debug: number[] = [];
  readonly machine: Machine;
  readonly #image: Uint8Array;

  constructor(source: string) {
    const memory = HostMemory.create({ physicalBytes: memoryBytes, codeCacheBytes: 1 << 20 });
    this.#image = assemble(`mov rsp, 0x300000\nxor ebx, ebx\n${source}`, {
      address: 0x10_0000n,
    }).bytes;
    this.machine = new Machine({
      memory,
      memoryBytes,
      epochSeconds: 0,
      onSerial: (bytes) => this.serial.push(...bytes),
      onDebug: (bytes) => this.debug.push(...bytes),
    });
    this.boot();
  }

  boot(): void {
    const { machine } = this;
    machine.reset();
    const entry = loadKernel(machine.processor.memory.physical, memoryBytes, {
      image: this.#image,
      format: "flat",
      commandLine: "",
    });
    enterKernel(machine.processor.state, entry);
  }

  run(limitUnits = 1_000_000): MachineExit {
    return this.machine.run(limitUnits);
  }
}

const powerOff = `
  out 0xf4, eax
  hlt
`;

/** An IDT whose vector 0x20 + n is at `handler_n`; the 8259 pair remapped, with this mask. */
function interrupts(mask: number): string {
  return `
    lea rax, [rel handler]
    mov rdi, 0x200200
    mov word [rdi], ax
    mov word [rdi + 2], 0x08
    mov word [rdi + 4], 0x8e00
    shr rax, 16
    mov word [rdi + 6], ax
    shr rax, 16
    mov dword [rdi + 8], eax
    mov rax, [rdi]
    mov [rdi + 0x40], rax
    mov rax, [rdi + 8]
    mov [rdi + 0x48], rax
    mov rsi, 0x200f00
    mov word [rsi], 0xfff
    mov qword [rsi + 2], 0x200000
    lidt [rsi]
    mov al, 0x11
    out 0x20, al
    mov al, 0x20
    out 0x21, al
    mov al, 0x04
    out 0x21, al
    mov al, 0x01
    out 0x21, al
    mov al, ${mask}
    out 0x21, al
  `;
}

describe("power and limits", () => {
  test("ends with the value written to the exit port", () => {
    const setup = new Setup(`mov eax, 0x12345678\n${powerOff}`);
    expect(setup.run()).toEqual({ reason: "powered-off", value: 0x1234_5678 });
  });

  test("stops at exactly the unit of the limit, again and again", () => {
    const setup = new Setup("again:\n inc rax\n jmp again");
    for (const units of [1, 2, 1000, 12_345]) {
      const before = setup.machine.units;
      expect(setup.run(units)).toEqual({ reason: "limit" });
      expect(setup.machine.units - before).toBe(units);
    }
  });

  test("halts for good with interrupts off", () => {
    expect(new Setup("cli\n hlt").run()).toEqual({ reason: "halted" });
  });

  test("halts for good with interrupts on and nothing armed", () => {
    expect(new Setup("sti\n hlt").run()).toEqual({ reason: "halted" });
  });

  test("reports a triple fault", () => {
    const setup = new Setup("xor eax, eax\n push rax\n push rax\n lidt [rsp]\n ud2");
    expect(setup.run()).toMatchObject({ reason: "shutdown" });
  });

  test("stops on request, before the next run too", () => {
    const setup = new Setup("again: jmp again");
    setup.machine.requestStop();
    expect(setup.run()).toEqual({ reason: "stopped" });
    expect(setup.run(10)).toEqual({ reason: "limit" });
  });

  test("starts anew after a reset", () => {
    const setup = new Setup(`mov eax, [0x200000]\n inc dword [0x200000]\n ${powerOff}`);
    setup.run();
    const units = setup.machine.units;
    setup.boot();
    expect([setup.machine.units, setup.machine.now]).toEqual([0, 0]);
    expect(setup.run()).toMatchObject({ reason: "powered-off", value: 1 });
    expect(setup.machine.units).toBe(units);
  });
});

describe("consoles", () => {
  test("carry bytes out, in order and before run returns", () => {
    const setup = new Setup(`
      mov al, 'A'
      mov dx, 0x3f8
      out dx, al
      out 0xe9, al
      mov al, 'B'
      out dx, al
      in al, 0xe9
      out 0xe9, al
      ${powerOff}
    `);
    setup.run();
    expect([setup.serial, setup.debug]).toEqual([
      [0x41, 0x42],
      [0x41, 0xe9],
    ]);
  });
});

describe("time", () => {
  test("reads the time stamp counter in units", () => {
    const setup = new Setup(
      `rdtsc\n mov ebx, eax\n nop\n nop\n rdtsc\n sub eax, ebx\n ${powerOff}`,
    );
    expect(setup.run()).toEqual({ reason: "powered-off", value: 4 });
  });

  test("skips idle time to the deadline of the 8254, which interrupts", () => {
    const setup = new Setup(`
      ${interrupts(0xfe)}
      mov al, 0x30
      out 0x43, al
      mov al, 0x34
      out 0x40, al
      mov al, 0x12
      out 0x40, al
      sti
      hlt
      mov eax, ebx
      ${powerOff}
    handler:
      inc ebx
      mov al, 0x20
      out 0x20, al
      iretq
    `);
    expect(setup.run()).toEqual({ reason: "powered-off", value: 1 });
    // 0x1234 cycles of 1.193182 MHz.
    expect(setup.machine.now).toBeGreaterThan(3_905_000);
    expect(setup.machine.now).toBeLessThan(3_906_500);
    expect(setup.machine.units).toBeLessThan(200);
  });

  test("delivers interrupts of the local APIC's timer while the guest works", () => {
    const setup = new Setup(`
      ${interrupts(0xff)}
      mov rdi, 0xfee00000
      mov dword [rdi + 0xf0], 0x1ff
      mov dword [rdi + 0x3e0], 0xb
      mov dword [rdi + 0x320], 0x20020
      mov dword [rdi + 0x380], 1000
      sti
    wait:
      cmp ebx, 10
      jne wait
      cli
      mov eax, [rdi + 0x390]
      ${powerOff}
    handler:
      inc ebx
      mov dword [rdi + 0xb0], 0
      iretq
    `);
    expect(setup.run()).toMatchObject({ reason: "powered-off" });
    expect(setup.machine.now).toBeGreaterThan(10_000);
    expect(setup.machine.now).toBeLessThan(10_200);
  });

  test("does not wake for a timer that is masked", () => {
    const setup = new Setup(`
      ${interrupts(0xff)}
      mov al, 0x34
      out 0x43, al
      out 0x40, al
      out 0x40, al
      sti
      hlt
    handler:
    `);
    expect(setup.run()).toEqual({ reason: "halted" });
  });
});

describe("input", () => {
  const echo = `
    ${interrupts(0xef)}
    mov dx, 0x3fc
    mov al, 0x0b
    out dx, al
    mov dx, 0x3f9
    mov al, 1
    out dx, al
  again:
    sti
    hlt
    jmp again
  handler:
    mov dx, 0x3f8
    in al, dx
    out dx, al
    mov al, 0x20
    out 0x20, al
    iretq
  `;

  test("is waited for while the guest listens, and wakes it", () => {
    const setup = new Setup(echo);
    expect(setup.run()).toEqual({ reason: "waiting" });
    setup.machine.send(new TextEncoder().encode("hello"));
    expect(setup.run()).toEqual({ reason: "waiting" });
    expect(new TextDecoder().decode(Uint8Array.from(setup.serial))).toBe("hello");
  });

  test("is not waited for after its end", () => {
    const setup = new Setup(echo);
    setup.machine.send(new Uint8Array([7]));
    setup.machine.endInput();
    expect(setup.run()).toEqual({ reason: "halted" });
    expect(setup.serial).toEqual([7]);
  });

  test("is not waited for by a guest that does not listen", () => {
    expect(new Setup(`${interrupts(0xef)}\n sti\n hlt\n handler:`).run()).toEqual({
      reason: "halted",
    });
  });
});
