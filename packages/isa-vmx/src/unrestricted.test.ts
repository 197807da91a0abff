/** Guests without protection and paging. Intel SDM Vol. 3C §25.6.2, "Processor-Based VM-Execution Controls" (unrestricted guest); §31.5.1, "Unrestricted Guests". */
import { describe, expect, test } from "vitest";
import { ENTRY_CONTROL, EXIT_CONTROL, SECONDARY } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { GUEST, GuestBench } from "./testing/guest-bench.ts";

const SEGMENTS = ["CS", "SS", "DS", "ES", "FS", "GS"] as const;

function unrestricted(): GuestBench {
  const bench = new GuestBench();
  bench.enable("SECONDARY_CONTROLS", SECONDARY.UNRESTRICTED_GUEST);
  bench.disable("VM_ENTRY_CONTROLS", ENTRY_CONTROL.IA32E_MODE_GUEST);
  bench.enable("VM_ENTRY_CONTROLS", ENTRY_CONTROL.LOAD_EFER);
  bench.enable("VM_EXIT_CONTROLS", EXIT_CONTROL.SAVE_EFER);
  bench.set("GUEST_IA32_EFER", 0);
  bench.set("GUEST_CR4", 0x2000);
  return bench;
}

/** Real mode at {@link GUEST.code}, with an interrupt vector table at 0. */
function inRealMode(): GuestBench {
  const bench = unrestricted();
  bench.set("GUEST_CR0", 0x20);
  for (const name of SEGMENTS) {
    const isCode = name === "CS";
    bench.set(`GUEST_${name}_SELECTOR`, isCode ? GUEST.code >> 4 : 0);
    bench.set(`GUEST_${name}_BASE`, isCode ? GUEST.code : 0);
    bench.set(`GUEST_${name}_LIMIT`, 0xffff);
    bench.set(`GUEST_${name}_ACCESS_RIGHTS`, isCode ? 0x9b : 0x93);
  }
  bench.set("GUEST_RIP", 0);
  bench.set("GUEST_RSP", 0x7000);
  bench.set("GUEST_IDTR_BASE", 0);
  bench.set("GUEST_IDTR_LIMIT", 0x3ff);
  return bench;
}

/** Assembles at {@link GUEST.code} as 16-bit code there would be. */
function load16(bench: GuestBench, text: string): void {
  bench.load(GUEST.code, `bits 16\n${text}`, 32);
}

describe("An unrestricted guest", () => {
  test("runs in real mode, on EPT alone", () => {
    const bench = inRealMode();
    load16(bench, "mov ax, 0x1234\nmov ds, ax\nmov [0x10], ax\nhlt");
    expect(bench.exit()).toBe(EXIT.HLT);
    expect(bench.get("GUEST_DS_BASE")).toBe(0x1_2340n);
    expect(bench.read(0x1_2350) & 0xffffn).toBe(0x1234n);
    expect(bench.get("GUEST_CR0")).toBe(0x30n);
  });

  test("takes injected interrupts through its vector table", () => {
    const bench = inRealMode();
    // Vector 0x21: 0000:9000, where HLT is.
    bench.write(0x84 - (0x84 % 8), 0x0000_9000n << 32n);
    bench.load(0x9000, "hlt");
    load16(bench, "nop");
    bench.set("GUEST_RFLAGS", 0x202);
    bench.set("VM_ENTRY_INTERRUPTION_INFORMATION", 0x8000_0021);
    expect(bench.exit()).toBe(EXIT.HLT);
    expect([bench.get("GUEST_CS_BASE"), bench.get("GUEST_RIP")]).toEqual([0n, 0x9000n]);
    expect(bench.get("GUEST_RSP")).toBe(0x6ffan);
  });

  test("injects exceptions in real mode without their error code, and may not be asked for one", () => {
    const bench = inRealMode();
    bench.set("VM_ENTRY_INTERRUPTION_INFORMATION", 0x8000_0b0d);
    expect(bench.control.launch()).toMatchObject({
      kind: "failed",
      failure: { check: "injection-error-code" },
    });
  });

  test("turns protection, PAE paging and IA-32e mode on by itself, and the control follows at the exit", () => {
    const bench = unrestricted();
    bench.set("GUEST_CR0", 0x21);
    bench.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b);
    bench.load(
      GUEST.code,
      `bits 32
       mov eax, ${GUEST.pml4}
       mov cr3, eax
       mov eax, 0x20
       mov cr4, eax
       mov ecx, 0xc0000080
       rdmsr
       or eax, 0x100
       wrmsr
       mov eax, 0x80000021
       mov cr0, eax
       hlt
       hlt`,
      32,
    );
    // CR4.VMXE is the hypervisor's.
    bench.set("CR4_GUEST_HOST_MASK", 0x2000);
    expect(bench.exit()).toBe(EXIT.HLT);
    expect(bench.get("GUEST_CR0")).toBe(0x8000_0031n);
    expect(bench.get("GUEST_IA32_EFER")).toBe(0x500n);
    expect(Number(bench.get("VM_ENTRY_CONTROLS")) & ENTRY_CONTROL.IA32E_MODE_GUEST).not.toBe(0);
    bench.skip();
    // In compatibility mode now.
    expect(bench.exit()).toBe(EXIT.HLT);
  });

  test("sets A and D in 4-byte entries behind EPT, and leaves their neighbours as they are", () => {
    const bench = unrestricted();
    const directory = 0x5000;
    const neighbour = 0xdead_b000n;
    bench.set("GUEST_CR0", 0x8000_0021);
    bench.set("GUEST_CR3", directory);
    bench.set("GUEST_CR4", 0x2010);
    bench.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b);
    // 4 MBytes at 0, and an entry beside it that is not present.
    bench.write(directory, (neighbour << 32n) | 0x87n);
    bench.load(GUEST.code, `mov [${GUEST.data}], eax\nhlt`, 32);
    expect(bench.exit()).toBe(EXIT.HLT);
    expect(bench.read(directory)).toBe((neighbour << 32n) | 0xe7n);
  });

  test("exits with the guest-physical address where EPT has no page, in protected mode without paging", () => {
    const bench = unrestricted();
    bench.set("GUEST_CR0", 0x21);
    bench.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b);
    bench.setEpt(GUEST.data, (entry) => entry & ~7n);
    bench.load(GUEST.code, `mov eax, [${GUEST.data + 4}]\nhlt`, 32);
    expect(bench.exit()).toBe(EXIT.EPT_VIOLATION);
    expect(bench.get("GUEST_PHYSICAL_ADDRESS")).toBe(BigInt(GUEST.data + 4));
  });
});

describe('A task switch exits, whatever the controls are: Intel SDM Vol. 3C §26.4.2, "Treatment of Task Switches"', () => {
  const TSS = 0xb000;
  const SELECTOR = 0x20n;

  /** 32-bit protected mode, with an available TSS at 0x20 of the GDT and a task gate to it as vector 6. */
  function withTask(): GuestBench {
    const bench = unrestricted();
    bench.set("GUEST_CR0", 0x21);
    bench.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b);
    bench.set("GUEST_GDTR_LIMIT", 0x27);
    bench.write(GUEST.gdt + 8, 0x00cf_9b00_0000_ffffn);
    bench.write(GUEST.gdt + 0x20, 0x0000_8900_0000_0067n | (BigInt(TSS) << 16n));
    bench.set("GUEST_IDTR_LIMIT", 0x7ff);
    bench.write(GUEST.idt + 6 * 8, 0x0000_8500_0000_0000n | (SELECTOR << 16n));
    bench.write(GUEST.idt + 0x80 * 8, 0x0000_e500_0000_0000n | (SELECTOR << 16n));
    return bench;
  }

  test.each([
    ["a call", "db 0x9a, 0, 0, 0, 0, 0x20, 0", 0n, 7n],
    ["a jump", "db 0xea, 0, 0, 0, 0, 0x20, 0", 2n, 7n],
  ])("for %s", (_, text, source, length) => {
    const bench = withTask();
    bench.load(GUEST.code, text, 32);
    expect(bench.exit()).toBe(EXIT.TASK_SWITCH);
    expect(bench.get("EXIT_QUALIFICATION")).toBe(SELECTOR | (source << 30n));
    expect(bench.get("EXIT_INSTRUCTION_LENGTH")).toBe(length);
    expect(bench.get("IDT_VECTORING_INFORMATION")).toBe(0n);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code));
    expect(bench.get("GUEST_TR_SELECTOR")).toBe(0x18n);
  });

  test.each([
    ["an exception", "ud2", 0x8000_0306n, 0n],
    ["a software interrupt", "int 0x80", 0x8000_0480n, 2n],
  ])("for %s whose gate leads to a task", (_, text, information, length) => {
    const bench = withTask();
    bench.load(GUEST.code, text, 32);
    expect(bench.exit()).toBe(EXIT.TASK_SWITCH);
    expect(bench.get("EXIT_QUALIFICATION")).toBe(SELECTOR | (3n << 30n));
    expect(bench.get("IDT_VECTORING_INFORMATION")).toBe(information);
    expect(bench.get("EXIT_INSTRUCTION_LENGTH")).toBe(length);
  });
});

describe("A guest that is restricted", () => {
  test('gets #GP for clearing PE or PG: Intel SDM Vol. 3C §24.8, "Restrictions on VMX Operation"', () => {
    for (const bits of [0x8000_0000n, 1n]) {
      const bench = new GuestBench();
      expect(bench.run(`mov rax, cr0\nmov rbx, ${bits}\nxor rax, rbx\nmov cr0, rax\nhlt`)).toBe(
        EXIT.VMCALL,
      );
      expect(bench.handler).toBe(13);
    }
  });
});
