/** Exceptions, interrupts, NMIs, windows, timers and injection. Intel SDM Vol. 3C §26.2, "Other Causes of VM Exits"; §27.6, "Event Injection". */
import { slots } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { ENTRY_CONTROL, EXIT_CONTROL, PIN, PRIMARY } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { GUEST, GuestBench } from "./testing/guest-bench.ts";

const VALID = 0x8000_0000n;

/** Valid, of a type, with a vector. */
function event(type: bigint, vector: bigint, more = 0n): bigint {
  return VALID | (type << 8n) | vector | more;
}

describe("An exception", () => {
  test("exits by its bit of the exception bitmap, else reaches the guest's handler", () => {
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 1 << 6);
    expect(bench.run("nop\nud2")).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(3n, 6n));
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + 1));
    // RF, as the frame of a fault would have it.
    expect(bench.get("GUEST_RFLAGS")).toBe(0x1_0002n);
    bench.set("EXCEPTION_BITMAP", 0);
    expect(bench.exit()).toBe(EXIT.VMCALL);
    expect(bench.handler).toBe(6);
  });

  test("has its error code, and the address of a page fault as qualification, with CR2 as it was", () => {
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 1 << 14);
    bench.processor.state.cr2 = 0x77n;
    expect(bench.run("mov [0x40000123], eax")).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(3n, 14n, 0x800n));
    expect(bench.get("EXIT_INTERRUPTION_ERROR_CODE")).toBe(2n);
    expect(bench.get("EXIT_QUALIFICATION")).toBe(0x4000_0123n);
    expect(bench.processor.state.cr2).toBe(0x77n);
  });

  for (const [mask, match, bit, exits] of [
    [2, 2, true, true],
    [2, 0, true, false],
    [2, 2, false, false],
    [2, 0, false, true],
  ] as const) {
    test(`of a page fault under mask ${mask}, match ${match} and bit ${String(bit)} ${exits ? "exits" : "is delivered"}`, () => {
      const bench = new GuestBench();
      bench.set("EXCEPTION_BITMAP", bit ? 1 << 14 : 0);
      bench.set("PAGE_FAULT_ERROR_CODE_MASK", mask);
      bench.set("PAGE_FAULT_ERROR_CODE_MATCH", match);
      const reason = bench.run("mov [0x40000123], eax");
      expect(reason).toBe(exits ? EXIT.EXCEPTION_OR_NMI : EXIT.VMCALL);
    });
  }

  test("of software has a type of its own and a length", () => {
    for (const [text, information, length] of [
      ["int3", event(6n, 3n), 1n],
      ["int1", event(5n, 1n), 1n],
    ] as const) {
      const bench = new GuestBench();
      bench.set("EXCEPTION_BITMAP", 0b1010);
      expect(bench.run(text)).toBe(EXIT.EXCEPTION_OR_NMI);
      expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(information);
      expect(bench.get("EXIT_INSTRUCTION_LENGTH")).toBe(length);
      expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code));
    }
    // INT n with the vector of an exception is none.
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 0b1000);
    expect(bench.run("db 0xcd, 3")).toBe(EXIT.VMCALL);
    expect(bench.handler).toBe(3);
  });

  test('says that an IRET that faults has unblocked NMIs: Intel SDM Vol. 3C §28.2.3, "Information About NMI Unblocking Due to IRET"', () => {
    const virtualNmis = (bench: GuestBench): void => {
      bench.enable("PIN_BASED_CONTROLS", PIN.VIRTUAL_NMIS);
      bench.set("GUEST_INTERRUPTIBILITY_STATE", 8);
    };
    // The frame is not mapped by the guest.
    const fault = new GuestBench();
    virtualNmis(fault);
    fault.set("EXCEPTION_BITMAP", 1 << 14);
    fault.set("GUEST_RSP", 0x4000_0000);
    expect(fault.run("iretq")).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(fault.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(3n, 14n, 0x1800n));
    expect(fault.get("GUEST_INTERRUPTIBILITY_STATE")).toBe(0n);
    // It is not mapped by EPT.
    const violation = new GuestBench();
    virtualNmis(violation);
    violation.set("GUEST_RSP", GUEST.data);
    violation.setEpt(GUEST.data, (entry) => entry & ~7n);
    expect(violation.run("nop\niretq")).toBe(EXIT.EPT_VIOLATION);
    expect(violation.get("EXIT_QUALIFICATION") & 0x1000n).toBe(0x1000n);
    // Nothing was blocked, so nothing was unblocked; nor by another instruction.
    const open = new GuestBench();
    open.set("GUEST_RSP", GUEST.data);
    open.setEpt(GUEST.data, (entry) => entry & ~7n);
    expect(open.run("iretq")).toBe(EXIT.EPT_VIOLATION);
    expect(open.get("EXIT_QUALIFICATION") & 0x1000n).toBe(0n);
    const other = new GuestBench();
    virtualNmis(other);
    other.set("EXCEPTION_BITMAP", 1 << 14);
    expect(other.run("mov rax, [0x40000000]")).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(other.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(3n, 14n, 0x800n));
  });

  test("comes before a second fault becomes a double fault, by the bit of the fault itself", () => {
    // A page fault while a page fault is delivered, as shadow paging meets it: the stack is not mapped either.
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 1 << 14);
    bench.set("GUEST_RSP", 0x4000_0000);
    bench.set("VM_ENTRY_EXCEPTION_ERROR_CODE", 0);
    bench.set("VM_ENTRY_INTERRUPTION_INFORMATION", event(3n, 14n, 0x800n));
    expect(bench.run("nop")).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(3n, 14n, 0x800n));
    expect(bench.get("EXIT_QUALIFICATION") & ~0xfffn).toBe(0x3fff_f000n);
    expect(bench.get("IDT_VECTORING_INFORMATION")).toBe(event(3n, 14n, 0x800n));
    // Not asked for, it becomes a double fault, whose own bit decides next.
    const double = new GuestBench();
    double.set("EXCEPTION_BITMAP", 1 << 8);
    double.set("GUEST_RSP", 0x4000_0000);
    double.set("VM_ENTRY_EXCEPTION_ERROR_CODE", 0);
    double.set("VM_ENTRY_INTERRUPTION_INFORMATION", event(3n, 14n, 0x800n));
    expect(double.run("nop")).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(double.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(3n, 8n, 0x800n));
  });

  test("during a delivery says what was being delivered", () => {
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 1 << 11);
    // The gate of #UD is absent: #NP.
    bench.write(GUEST.idt + 6 * 16, 0n);
    bench.write(GUEST.idt + 6 * 16 + 8, 0n);
    bench.write(GUEST.idt + 6 * 16, (0x0en << 40n) | (8n << 16n));
    expect(bench.run("ud2")).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(3n, 11n, 0x800n));
    expect(bench.get("IDT_VECTORING_INFORMATION")).toBe(event(3n, 6n));
  });

  test("that cannot be delivered at all is a triple fault", () => {
    const bench = new GuestBench();
    bench.set("GUEST_IDTR_LIMIT", 0);
    expect(bench.run("ud2")).toBe(EXIT.TRIPLE_FAULT);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code));
  });

  test("of a single step reports BS and leaves DR6", () => {
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 2);
    bench.set("GUEST_RFLAGS", 0x102);
    expect(bench.run("nop\nnop")).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(bench.get("EXIT_QUALIFICATION")).toBe(0x4000n);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + 1));
    expect(bench.processor.state.get(slots.dr6)).toBe(0xffff_0ff0n);
  });
});

const spin = "again:\ninc rax\njmp again";

describe("An external interrupt", () => {
  test("exits whatever IF is, with its vector when it is acknowledged", () => {
    const bench = new GuestBench();
    bench.load(GUEST.code, spin);
    bench.enter();
    bench.processor.run(10);
    bench.processor.setInterruptRequest(true);
    expect(bench.processor.run(100)).toMatchObject({ value: { reason: EXIT.EXTERNAL_INTERRUPT } });
    expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(0n, 0x40n));
  });

  test("stays pending when it is not acknowledged", () => {
    const bench = new GuestBench();
    bench.disable("VM_EXIT_CONTROLS", EXIT_CONTROL.ACKNOWLEDGE_INTERRUPT);
    bench.load(GUEST.code, spin);
    bench.processor.setInterruptRequest(true);
    expect(bench.exit()).toBe(EXIT.EXTERNAL_INTERRUPT);
    expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(0n);
    expect(bench.exit()).toBe(EXIT.EXTERNAL_INTERRUPT);
  });

  test("is the guest's own when the control is clear", () => {
    const bench = new GuestBench();
    bench.disable("PIN_BASED_CONTROLS", PIN.EXTERNAL_INTERRUPT_EXITING);
    bench.set("GUEST_RFLAGS", 0x202);
    bench.load(GUEST.code, spin);
    bench.processor.setInterruptRequest(true);
    expect(bench.exit()).toBe(EXIT.VMCALL);
    expect(bench.handler).toBe(0x40);
  });

  test("wakes a guest that halted by itself, and the activity state says so", () => {
    const bench = new GuestBench();
    bench.disable("PRIMARY_CONTROLS", PRIMARY.HLT_EXITING);
    bench.load(GUEST.code, "hlt\nnop");
    expect(bench.go()).toEqual({ reason: "halted" });
    bench.processor.setInterruptRequest(true);
    expect(bench.processor.run(10)).toMatchObject({ value: { reason: EXIT.EXTERNAL_INTERRUPT } });
    expect(bench.get("GUEST_ACTIVITY_STATE")).toBe(1n);
    expect(bench.go()).toEqual({ reason: "halted" });
  });
});

describe("An NMI", () => {
  test("exits, and with virtual NMIs whatever the guest blocks", () => {
    const bench = new GuestBench();
    bench.enable("PIN_BASED_CONTROLS", PIN.VIRTUAL_NMIS);
    bench.set("GUEST_INTERRUPTIBILITY_STATE", 8);
    bench.load(GUEST.code, spin);
    bench.enter();
    bench.processor.requestNmi();
    expect(bench.processor.run(100)).toMatchObject({ value: { reason: EXIT.EXCEPTION_OR_NMI } });
    expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(event(2n, 2n));
    expect(bench.get("GUEST_INTERRUPTIBILITY_STATE")).toBe(8n);
  });

  test("is delivered to the guest, and blocks others until IRET", () => {
    const bench = new GuestBench();
    bench.disable("PIN_BASED_CONTROLS", PIN.NMI_EXITING);
    bench.load(GUEST.code, spin);
    bench.enter();
    bench.processor.requestNmi();
    bench.processor.run(100);
    expect(bench.handler).toBe(2);
    expect(bench.get("GUEST_INTERRUPTIBILITY_STATE")).toBe(8n);
  });
});

describe("A window", () => {
  test("for interrupts exits at once when IF is 1, else behind the instruction after STI", () => {
    const bench = new GuestBench();
    bench.enable("PRIMARY_CONTROLS", PRIMARY.INTERRUPT_WINDOW_EXITING);
    bench.load(GUEST.code, "nop\nsti\nnop\nnop\nhlt");
    expect(bench.exit()).toBe(EXIT.INTERRUPT_WINDOW);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + 3));
    expect(bench.exit()).toBe(EXIT.INTERRUPT_WINDOW);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + 3));
    bench.disable("PRIMARY_CONTROLS", PRIMARY.INTERRUPT_WINDOW_EXITING);
    expect(bench.exit()).toBe(EXIT.HLT);
  });

  test("for NMIs exits when IRET ends the blocking", () => {
    const bench = new GuestBench();
    bench.enable("PIN_BASED_CONTROLS", PIN.VIRTUAL_NMIS);
    bench.enable("PRIMARY_CONTROLS", PRIMARY.NMI_WINDOW_EXITING);
    bench.set("GUEST_INTERRUPTIBILITY_STATE", 8);
    bench.load(
      GUEST.code,
      `mov rbx, rsp\npush 0x10\npush rbx\npush 2\npush 8\npush ${GUEST.code + 0x100}\niretq`,
    );
    bench.load(GUEST.code + 0x100, "nop\nnop\nhlt");
    expect(bench.exit()).toBe(EXIT.NMI_WINDOW);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + 0x100));
    expect(bench.get("GUEST_INTERRUPTIBILITY_STATE")).toBe(0n);
  });
});

describe("Time", () => {
  test("the preemption timer exits at its unit, and its rest can be saved", () => {
    const bench = new GuestBench();
    bench.enable("PIN_BASED_CONTROLS", PIN.PREEMPTION_TIMER);
    bench.enable("VM_EXIT_CONTROLS", EXIT_CONTROL.SAVE_PREEMPTION_TIMER);
    bench.set("VMX_PREEMPTION_TIMER_VALUE", 10);
    bench.load(GUEST.code, spin);
    const before = bench.processor.now;
    expect(bench.exit(100_000)).toBe(EXIT.PREEMPTION_TIMER);
    const end = ((before >> 5) + 10) << 5;
    // The exit itself takes a unit.
    expect(bench.processor.now).toBe(end + 1);
    expect(bench.get("VMX_PREEMPTION_TIMER_VALUE")).toBe(0n);
    bench.set("VMX_PREEMPTION_TIMER_VALUE", 1000);
    expect(bench.run("cpuid")).toBe(EXIT.CPUID);
    const left = bench.get("VMX_PREEMPTION_TIMER_VALUE");
    expect([999n, 1000n]).toContain(left);
  });

  test("a timer of 0 exits before the first instruction", () => {
    const bench = new GuestBench();
    bench.enable("PIN_BASED_CONTROLS", PIN.PREEMPTION_TIMER);
    bench.load(GUEST.code, spin);
    expect(bench.exit()).toBe(EXIT.PREEMPTION_TIMER);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code));
  });

  test("the monitor trap flag exits behind each instruction", () => {
    const bench = new GuestBench();
    bench.enable("PRIMARY_CONTROLS", PRIMARY.MONITOR_TRAP_FLAG);
    bench.load(GUEST.code, "nop\nsti\nnop\nnop");
    for (const offset of [1, 2, 3, 4]) {
      expect(bench.exit()).toBe(EXIT.MONITOR_TRAP_FLAG);
      expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + offset));
    }
  });
});

describe("Injection", () => {
  const inject = (bench: GuestBench, information: bigint): void =>
    bench.set("VM_ENTRY_INTERRUPTION_INFORMATION", information);

  test("delivers an external interrupt before the first instruction", () => {
    const bench = new GuestBench();
    bench.set("GUEST_RFLAGS", 0x202);
    inject(bench, event(0n, 0x77n));
    expect(bench.run("ud2")).toBe(EXIT.VMCALL);
    expect(bench.handler).toBe(0x77);
    expect(bench.read(GUEST.stack - 40)).toBe(BigInt(GUEST.code));
    // The exit made the field invalid, so the next entry injects nothing.
    expect(bench.get("VM_ENTRY_INTERRUPTION_INFORMATION")).toBe(0x77n);
  });

  test("delivers an exception with its error code, whatever the bitmap says, and leaves CR2", () => {
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 0xffff_ffff);
    bench.processor.state.cr2 = 0x1234_5678n;
    inject(bench, event(3n, 14n, 0x800n));
    bench.set("VM_ENTRY_EXCEPTION_ERROR_CODE", 6);
    expect(bench.run("nop")).toBe(EXIT.VMCALL);
    expect(bench.handler).toBe(14);
    expect(bench.read(GUEST.stack - 48)).toBe(6n);
    expect(bench.processor.state.cr2).toBe(0x1234_5678n);
  });

  test("delivers software interrupts and exceptions with RIP behind the instruction", () => {
    for (const [type, vector] of [
      [4n, 0x80n],
      [6n, 3n],
      [5n, 1n],
    ] as const) {
      const bench = new GuestBench();
      inject(bench, event(type, vector));
      bench.set("VM_ENTRY_INSTRUCTION_LENGTH", 2);
      expect(bench.run("nop")).toBe(EXIT.VMCALL);
      expect(bench.handler).toBe(Number(vector));
      expect(bench.read(GUEST.stack - 40)).toBe(BigInt(GUEST.code + 2));
    }
  });

  test("of an NMI blocks NMIs", () => {
    const bench = new GuestBench();
    inject(bench, event(2n, 2n));
    expect(bench.run("nop")).toBe(EXIT.VMCALL);
    expect(bench.handler).toBe(2);
    expect(bench.get("GUEST_INTERRUPTIBILITY_STATE")).toBe(8n);
  });

  test("wakes a guest in HLT", () => {
    const bench = new GuestBench();
    bench.set("GUEST_ACTIVITY_STATE", 1);
    bench.set("GUEST_RFLAGS", 0x202);
    inject(bench, event(0n, 0x30n));
    expect(bench.run("nop")).toBe(EXIT.VMCALL);
    expect(bench.handler).toBe(0x30);
    expect(bench.get("GUEST_ACTIVITY_STATE")).toBe(0n);
  });

  test("that meets an EPT violation is reported for the next entry", () => {
    for (const information of [event(0n, 0x30n), event(4n, 0x80n), event(3n, 13n, 0x800n)]) {
      const bench = new GuestBench();
      bench.set("GUEST_RFLAGS", 0x202);
      bench.set("GUEST_RSP", GUEST.data + 0x1000);
      bench.setEpt(GUEST.data, (entry) => entry & ~7n);
      bench.set("VM_ENTRY_EXCEPTION_ERROR_CODE", 0x28);
      bench.set("VM_ENTRY_INSTRUCTION_LENGTH", 2);
      inject(bench, information);
      expect(bench.run("nop")).toBe(EXIT.EPT_VIOLATION);
      expect(bench.get("IDT_VECTORING_INFORMATION")).toBe(information);
      const isException = information === event(3n, 13n, 0x800n);
      expect(bench.get("IDT_VECTORING_ERROR_CODE")).toBe(isException ? 0x28n : 0n);
      expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code));
    }
  });

  test("of a pending MTF VM exit exits before the first instruction", () => {
    const bench = new GuestBench();
    inject(bench, event(7n, 0n));
    expect(bench.run("nop")).toBe(EXIT.MONITOR_TRAP_FLAG);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code));
  });

  test('saves a debug trap that MOV SS holds back, and takes it after the entry: Intel SDM Vol. 3C §25.4.2, "Guest Non-Register State"', () => {
    const bench = new GuestBench();
    bench.write(GUEST.data, 0x10n);
    bench.enable("VM_ENTRY_CONTROLS", ENTRY_CONTROL.LOAD_DEBUG_CONTROLS);
    // DR0: two bytes, read or written.
    bench.processor.state.set(slots.dr0, BigInt(GUEST.data));
    bench.set("GUEST_DR7", 0x7_0401);
    bench.enable("PRIMARY_CONTROLS", PRIMARY.MONITOR_TRAP_FLAG);
    expect(bench.run(`mov ss, [${GUEST.data}]\nnop\nnop`)).toBe(EXIT.MONITOR_TRAP_FLAG);
    expect(bench.get("GUEST_INTERRUPTIBILITY_STATE")).toBe(2n);
    expect(bench.get("GUEST_PENDING_DEBUG_EXCEPTIONS")).toBe(0x1001n);
    bench.disable("PRIMARY_CONTROLS", PRIMARY.MONITOR_TRAP_FLAG);
    bench.set("EXCEPTION_BITMAP", 2);
    expect(bench.exit()).toBe(EXIT.EXCEPTION_OR_NMI);
    expect(bench.get("EXIT_QUALIFICATION")).toBe(1n);
  });

  test("is followed by pending debug exceptions where there is nothing to inject", () => {
    const bench = new GuestBench();
    bench.set("GUEST_PENDING_DEBUG_EXCEPTIONS", 0x4000);
    expect(bench.run("nop")).toBe(EXIT.VMCALL);
    expect(bench.handler).toBe(1);
    expect(bench.processor.state.get(slots.dr6) & 0x4000n).toBe(0x4000n);
  });
});
