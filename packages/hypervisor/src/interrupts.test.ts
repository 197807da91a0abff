import { defaultProfile } from "@ringside/isa";
import { Board } from "@ringside/machine";
import { describe, expect, test } from "vitest";
import { kickVector, PhysicalInterrupts, timerVector } from "./physical-interrupts.ts";
import { ProcessorIdentity } from "./processor-identity.ts";
import { VirtualInterrupts } from "./virtual-interrupts.ts";

function board(): Board {
  return new Board({ clock: { now: 0 }, memoryBytes: 1 << 22, epochSeconds: 0, onExit: () => {} });
}

const open = { interruptsEnabled: true, shadowed: false, nmiBlocked: false };

describe("physical interrupts", () => {
  test("fire once at the deadline, and hold the line until they are acknowledged", () => {
    const levels: boolean[] = [];
    const physical = new PhysicalInterrupts();
    physical.onRequest = (level) => levels.push(level);
    physical.arm(100);
    physical.advance(99);
    expect(levels.at(-1)).toBe(false);
    physical.advance(100);
    expect(levels.at(-1)).toBe(true);
    expect(physical.deadline).toBe(Infinity);
    expect(physical.acknowledge()).toBe(timerVector);
    expect(levels.at(-1)).toBe(false);
  });

  test("serve the hypervisor's request to itself first, and keep the timer", () => {
    let level = false;
    const physical = new PhysicalInterrupts();
    physical.onRequest = (asserted) => (level = asserted);
    physical.arm(0);
    physical.advance(1);
    physical.kick();
    expect(physical.acknowledge()).toBe(kickVector);
    expect(level).toBe(true);
    expect(physical.acknowledge()).toBe(timerVector);
    expect(level).toBe(false);
  });
});

describe("virtual interrupts", () => {
  test("wait for a window while the guest cannot take them", () => {
    const { interrupts } = board();
    let requests = 0;
    const virtual = new VirtualInterrupts(interrupts, () => (requests += 1));
    expect(virtual.take(open)).toEqual({ kind: "none" });
    interrupts.apic.write(0xf0, 4, 0x1ff);
    interrupts.apic.request(0x41);
    expect(requests).toBeGreaterThan(0);
    for (const closed of [
      { ...open, interruptsEnabled: false },
      { ...open, shadowed: true },
    ]) {
      expect(virtual.take(closed)).toEqual({ kind: "window", for: "interrupt" });
    }
    expect(virtual.take(open)).toEqual({ kind: "interrupt", vector: 0x41 });
    expect(virtual.isPending).toBe(false);
  });

  test("let an NMI go first, and only past one that is being handled", () => {
    const { interrupts } = board();
    const virtual = new VirtualInterrupts(interrupts, () => {});
    interrupts.apic.write(0xf0, 4, 0x1ff);
    interrupts.apic.request(0x41);
    virtual.requestNmi();
    expect(virtual.take({ ...open, nmiBlocked: true })).toEqual({ kind: "window", for: "nmi" });
    expect(virtual.take(open)).toEqual({ kind: "nmi" });
    expect(virtual.take(open)).toEqual({ kind: "interrupt", vector: 0x41 });
  });
});

describe("the identity of a guest's processor", () => {
  test("is that of the profile, with the APIC that the guest has and without VMX", () => {
    const { interrupts } = board();
    const identity = new ProcessorIdentity(defaultProfile, (index) => interrupts.readMsr(index));
    const { ebx, ecx, edx } = identity.cpuid(0, 0);
    const text = [ebx, edx, ecx].map((word) =>
      String.fromCharCode(...[0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff)),
    );
    expect(text.join("")).toBe("GenuineIntel");
    const features = identity.cpuid(1, 0);
    expect((features.edx >>> 9) & 1).toBe(1);
    expect((features.ecx >>> 5) & 1).toBe(0);
  });
});
