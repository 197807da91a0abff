/** Machines with hardware, programmed by small guests: what the whole PC has, and the small board has not. */
import { assemble, HostMemory } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import type { Hardware } from "./hardware.ts";
import { enterKernel, loadKernel } from "./loaders/kernel.ts";
import { Machine } from "./machine.ts";
import type { EthernetLink } from "./network/ethernet-link.ts";

const memoryBytes = 4 << 20;

function machineWith(source: string, hardware: Hardware | undefined): Machine {
  const memory = HostMemory.create({ physicalBytes: memoryBytes, codeCacheBytes: 1 << 20 });
  const machine = new Machine({ memory, memoryBytes, epochSeconds: 0, hardware });
  const { bytes: image } = assemble(`mov rsp, 0x300000\n${source}`, { address: 0x10_0000n });
  machine.reset();
  const kernel = { image, format: "flat", commandLine: "", hardware } as const;
  enterKernel(machine.processor.state, loadKernel(memory.physical, memoryBytes, kernel));
  return machine;
}

/** Ends the machine with what is in EAX. */
const tellEax = "out 0xf4, eax\n hlt";
const softOff = "mov dx, 0x604\n mov ax, 0x3400\n out dx, ax\n hlt";

describe("a whole PC", () => {
  test.each([
    ["switches off by ACPI's S5", softOff, { reason: "powered-off", value: undefined }],
    [
      "restarts by the reset register",
      "mov dx, 0xcf9\n mov al, 6\n out dx, al\n hlt",
      { reason: "restarting" },
    ],
    ["restarts by the 8042", "mov al, 0xfe\n out 0x64, al\n hlt", { reason: "restarting" }],
  ])("%s", (_, source, expected) => {
    expect(machineWith(source, {}).run(1000)).toEqual(expected);
  });

  test("has the lines that PCI and ACPI share level-triggered", () => {
    const machine = machineWith(`xor eax, eax\n mov dx, 0x4d1\n in al, dx\n ${tellEax}`, {});
    expect(machine.run(1000)).toEqual({ reason: "powered-off", value: 0x0e });
  });

  test("hands ACPI's root pointer over, unless told not to", () => {
    const readRoot = `mov eax, [rbx + 32]\n ${tellEax}`; // hvm_start_info.rsdp_paddr
    expect(machineWith(readRoot, {}).run(1000)).toMatchObject({ value: 0xf_0000 });
    expect(machineWith(readRoot, { acpi: false }).run(1000)).toMatchObject({ value: 0 });
    expect(machineWith(readRoot, undefined).run(1000)).toMatchObject({ value: 0 });
  });

  test("finds its host bridge by the configuration ports", () => {
    const source = `mov dx, 0xcf8\n mov eax, 0x80000000\n out dx, eax\n mov dx, 0xcfc\n in eax, dx\n ${tellEax}`;
    expect(machineWith(source, {}).run(1000)).toMatchObject({ value: 0x1237_8086 });
    expect(machineWith(source, undefined).run(1000)).toMatchObject({ value: 0xffff_ffff });
  });

  test("reads its HPET and I/O APIC in memory", () => {
    const hpet = `mov rcx, 0xfed00000\n mov eax, [rcx + 4]\n ${tellEax}`;
    expect(machineWith(hpet, {}).run(1000)).toMatchObject({ value: 10_000_000 });
    expect(machineWith(hpet, undefined).run(1000)).toMatchObject({ value: 0xffff_ffff });
    const ioApic = `mov rcx, 0xfec00000\n mov dword [rcx], 1\n mov eax, [rcx + 16]\n ${tellEax}`;
    expect(machineWith(ioApic, {}).run(1000)).toMatchObject({ value: 0x17_0011 });
  });

  test("tells a guest that its power button was pressed", () => {
    const waits = `again:\n mov dx, 0x600\n in ax, dx\n test ax, 0x100\n jz again\n ${softOff}`;
    const machine = machineWith(waits, {});
    expect(machine.run(1000)).toEqual({ reason: "limit" });
    machine.pressPowerButton();
    expect(machine.run(1000)).toEqual({ reason: "powered-off", value: undefined });
  });

  test("is as new after a reset", () => {
    const machine = machineWith(softOff, {});
    machine.run(1000);
    machine.reset();
    const entry = loadKernel(machine.processor.memory.physical, memoryBytes, {
      image: assemble(`mov eax, 7\n ${tellEax}`, { address: 0x10_0000n }).bytes,
      format: "flat",
      commandLine: "",
      hardware: {},
    });
    enterKernel(machine.processor.state, entry);
    expect(machine.run(1000)).toEqual({ reason: "powered-off", value: 7 });
  });
});

test("a machine that is powered down lets go of its network", () => {
  const log: string[] = [];
  const link: EthernetLink = {
    awaitsHost: false,
    attach: () => {},
    send: () => {},
    onAlarm: () => {},
    reset: () => void log.push("reset"),
  };
  const machine = machineWith("hlt", { networks: [{ link }] });
  log.length = 0;
  machine.powerDown();
  expect(log).toEqual(["reset"]);
});
