import { assemble, defaultProfile } from "@ringside/isa";
import { enterKernel, loadKernel } from "@ringside/machine";
import {
  Host,
  type KernelMachineOptions,
  type Registers,
  type TranslationControls,
} from "@ringside/strategy";
import { expect, test } from "vitest";
import { closedPorts } from "./closed-ports.ts";
import { InstructionEmulator } from "./instruction-emulator.ts";
import { handlers } from "./testing.ts";
import { VirtualPc, type GuestStep, type VirtualPcCore } from "./virtual-pc.ts";

const memoryBytes = 4 << 20;
const interruptFlag = 0x200n;
/** The guest's registers are the emulator's own: nothing to move. */
const inPlace = { load: () => {}, store: () => {} };

/** The least hypervisor: it emulates every instruction of its guest, and each takes a nanosecond. */
class EmulatingCore implements VirtualPcCore {
  readonly isRunning = false;
  readonly #pc: VirtualPc;
  readonly #options: KernelMachineOptions;
  readonly #emulator: InstructionEmulator;

  constructor(pc: VirtualPc, options: KernelMachineOptions) {
    this.#pc = pc;
    this.#options = options;
    this.#emulator = new InstructionEmulator({
      profile: defaultProfile,
      devices: pc.devices,
      work: pc.work,
      now: () => pc.now,
      invalidatePage: () => {},
      flushTlb: () => {},
    });
  }

  get listens(): boolean {
    return (this.#emulator.state.rflags & interruptFlag) !== 0n;
  }

  boot(): void {
    const { memoryBytes, kernel } = this.#options;
    enterKernel(this.#emulator.state, loadKernel(this.#pc.memory.bootTarget, memoryBytes, kernel));
  }

  step(): GuestStep {
    this.#pc.time.sleep(1);
    this.#pc.board.dispatchDue();
    const event = this.#pc.interrupts.take({
      interruptsEnabled: this.listens,
      shadowed: false,
      nmiBlocked: false,
    });
    if (event.kind === "interrupt") {
      this.#emulator.deliver(inPlace, { vector: event.vector, kind: "external" });
      return { kind: "resume" };
    }
    const emulation = this.#emulator.emulate(inPlace);
    if (emulation.kind !== "retired") return { kind: "crashed", why: `a ${emulation.kind}` };
    return { kind: emulation.mnemonic === "hlt" ? "halted" : "resume" };
  }

  registers(): Registers {
    return this.#emulator.state.registers();
  }

  controls(): TranslationControls {
    return this.#emulator.state;
  }

  counts(): Readonly<Record<string, number>> {
    return { "emulator.own": 7 };
  }
}

/** A flat kernel at 1 MiB on an emulated PC. */
function machineOf(source: string): { readonly pc: VirtualPc; readonly output: () => string } {
  const { bytes } = assemble(source, { address: 0x10_0000n });
  let output = "";
  const options: KernelMachineOptions = {
    claim: Host.create({ memoryBytes }).claimAll("test"),
    memoryBytes,
    kernel: { image: bytes, format: "flat", commandLine: "" },
    epochSeconds: 0,
    onSerial: (sent) => (output += new TextDecoder().decode(sent)),
    onDebug: () => {},
  };
  const pc = new VirtualPc({
    ...options,
    processor: () => ({ ports: closedPorts }),
    core: (machine) => new EmulatingCore(machine, options),
  });
  return { pc, output: () => output };
}

/** Halts with interrupts on after having written a gate for vector 0x40 that powers off with RCX. */
const sleeper = (prepare: string): string => `
    mov rsp, 0x200000
    ${handlers({ 0x40: "woken" })}
    ${prepare}
  again:
    hlt
    jmp again
  woken:
    mov eax, 42
    out 0xf4, eax`;

const timer = `
    mov ebx, 0xfee00000
    mov dword [rbx + 0xf0], 0x1ff
    mov dword [rbx + 0x3e0], 0xb
    mov dword [rbx + 0x320], 0x40
    mov dword [rbx + 0x380], 1000
    sti`;

test("a limit is met at exactly that unit, and a run goes on where it was", () => {
  const { pc } = machineOf("again: inc rax\n jmp again");
  expect(pc.run(101)).toEqual({ reason: "limit" });
  expect([pc.units, pc.now, pc.inspect.registers()["rax"]]).toEqual([101, 101, 51n]);
  expect(pc.run(2)).toEqual({ reason: "limit" });
  expect([pc.units, pc.inspect.registers()["rax"]]).toEqual([103, 52n]);
});

test("a guest that sleeps is woken by its timer, at the timer's time", () => {
  const { pc } = machineOf(sleeper(timer));
  expect(pc.run(1000)).toEqual({ reason: "powered-off", value: 42 });
  expect(pc.now).toBeGreaterThan(1000);
  expect(pc.units).toBeLessThan(100);
});

test("a guest that sleeps with interrupts off, or for nothing, has halted", () => {
  expect(machineOf(sleeper(timer.replace("sti", "cli"))).pc.run(1000).reason).toBe("halted");
  expect(machineOf(sleeper("sti")).pc.run(1000).reason).toBe("halted");
});

test("a stop is asked for once, and counts for the next run when none is under way", () => {
  const { pc } = machineOf("again: jmp again");
  pc.requestStop();
  expect(pc.run(10)).toEqual({ reason: "stopped" });
  expect(pc.run(10)).toEqual({ reason: "limit" });
  expect(pc.units).toBe(10);
});

test("output has arrived when a run ends, and a reset gives the same guest again", () => {
  const { pc, output } = machineOf(
    "mov dx, 0x3f8\n mov al, 0x68\n out dx, al\n inc dword [rel word]\n mov eax, [rel word]\n out 0xf4, eax\n hlt\n word: dd 5",
  );
  for (const sent of ["h", "hh"]) {
    expect(pc.run(100)).toEqual({ reason: "powered-off", value: 6 });
    expect([output(), pc.units]).toEqual([sent, 6]);
    pc.reset();
    expect(pc.units).toBe(0);
  }
});

test("the core's counts stand beside those of the hypervisor's work", () => {
  const { pc } = machineOf("again: inc rax\n jmp again");
  pc.run(10);
  expect(pc.counts()).toMatchObject({
    units: 10,
    monitor: { emulated: { inc: 5, jmp: 5 } },
    emulator: { own: 7 },
  });
});

test("what the core calls a crash is one", () => {
  const { pc } = machineOf("ud2");
  expect(pc.run(10)).toEqual({ reason: "crashed", why: "a fault" });
});
