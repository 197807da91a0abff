/** Each VM exit by an instruction: reason, qualification, length and information. Intel SDM Vol. 3C §26.1, "Instructions That Cause VM Exits"; §28.2, "Recording VM-Exit Information and Updating VM-Entry Control Fields". */
import { slots } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { PRIMARY, SECONDARY } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { GUEST, GuestBench, HOST } from "./testing/guest-bench.ts";

interface Case {
  readonly name: string;
  readonly text: string;
  readonly reason: number;
  readonly primary?: number;
  readonly secondary?: number;
  readonly prepare?: (bench: GuestBench) => void;
  readonly qualification?: bigint;
  readonly information?: bigint;
  readonly length: bigint;
}

const VMX = "db 0x0f, 0x01, ";
const cases: readonly Case[] = [
  { name: "CPUID", text: "cpuid", reason: EXIT.CPUID, length: 2n },
  { name: "HLT", text: "hlt", reason: EXIT.HLT, primary: PRIMARY.HLT_EXITING, length: 1n },
  { name: "INVD", text: "invd", reason: EXIT.INVD, length: 2n },
  {
    name: "WBINVD",
    text: "wbinvd",
    reason: EXIT.WBINVD,
    secondary: SECONDARY.WBINVD_EXITING,
    length: 2n,
  },
  {
    name: "INVLPG",
    text: "invlpg [rbx+8]",
    reason: EXIT.INVLPG,
    primary: PRIMARY.INVLPG_EXITING,
    prepare: (bench) => void (bench.processor.state.rbx = 0x1234_5000n),
    qualification: 0x1234_5008n,
    length: 4n,
  },
  { name: "RDTSC", text: "rdtsc", reason: EXIT.RDTSC, primary: PRIMARY.RDTSC_EXITING, length: 2n },
  {
    name: "RDTSCP",
    text: "rdtscp",
    reason: EXIT.RDTSCP,
    primary: PRIMARY.RDTSC_EXITING,
    secondary: SECONDARY.ENABLE_RDTSCP,
    length: 3n,
  },
  { name: "RDPMC", text: "rdpmc", reason: EXIT.RDPMC, primary: PRIMARY.RDPMC_EXITING, length: 2n },
  { name: "PAUSE", text: "pause", reason: EXIT.PAUSE, primary: PRIMARY.PAUSE_EXITING, length: 2n },
  { name: "VMCALL", text: `${VMX}0xc1`, reason: EXIT.VMCALL, length: 3n },
  { name: "VMLAUNCH", text: `${VMX}0xc2`, reason: EXIT.VMLAUNCH, length: 3n },
  { name: "VMRESUME", text: `${VMX}0xc3`, reason: EXIT.VMRESUME, length: 3n },
  { name: "VMXOFF", text: `${VMX}0xc4`, reason: EXIT.VMXOFF, length: 3n },
  {
    name: "VMREAD RAX, RCX",
    text: "db 0x0f, 0x78, 0xc8",
    reason: EXIT.VMREAD,
    information: (1n << 28n) | 0x400n,
    length: 3n,
  },
  {
    name: "VMREAD [R8+R9*4+10H], RDX",
    text: "db 0x43, 0x0f, 0x78, 0x54, 0x88, 0x10",
    reason: EXIT.VMREAD,
    // Scaling 2, 64-bit addresses, DS, index R9, base R8, second register RDX.
    information: 2n | (2n << 7n) | (3n << 15n) | (9n << 18n) | (8n << 23n) | (2n << 28n),
    qualification: 0x10n,
    length: 6n,
  },
  {
    name: "VMWRITE RCX, RAX",
    text: "db 0x0f, 0x79, 0xc8",
    reason: EXIT.VMWRITE,
    information: (1n << 28n) | 0x400n,
    length: 3n,
  },
  {
    name: "VMPTRLD [RSP]",
    text: "db 0x0f, 0xc7, 0x34, 0x24",
    reason: EXIT.VMPTRLD,
    information: (2n << 7n) | (2n << 15n) | (1n << 22n) | (4n << 23n),
    length: 4n,
  },
  {
    name: "VMPTRST [RIP+20H]",
    text: "db 0x0f, 0xc7, 0x3d, 0x20, 0, 0, 0",
    reason: EXIT.VMPTRST,
    information: (2n << 7n) | (3n << 15n) | (1n << 22n) | (1n << 27n),
    qualification: BigInt(GUEST.code + 7 + 0x20),
    length: 7n,
  },
  {
    name: "VMCLEAR [RAX]",
    text: "db 0x66, 0x0f, 0xc7, 0x30",
    reason: EXIT.VMCLEAR,
    information: (2n << 7n) | (3n << 15n) | (1n << 22n),
    length: 4n,
  },
  {
    name: "VMXON [RAX]",
    text: "db 0xf3, 0x0f, 0xc7, 0x30",
    reason: EXIT.VMXON,
    information: (2n << 7n) | (3n << 15n) | (1n << 22n),
    length: 4n,
  },
  {
    name: "INVEPT RBX, [RAX]",
    text: "db 0x66, 0x0f, 0x38, 0x80, 0x18",
    reason: EXIT.INVEPT,
    information: (2n << 7n) | (3n << 15n) | (1n << 22n) | (3n << 28n),
    length: 5n,
  },
  {
    name: "INVVPID RBX, [RAX]",
    text: "db 0x66, 0x0f, 0x38, 0x81, 0x18",
    reason: EXIT.INVVPID,
    information: (2n << 7n) | (3n << 15n) | (1n << 22n) | (3n << 28n),
    length: 5n,
  },
  {
    name: "MOV to CR3",
    text: "mov cr3, rbx",
    reason: EXIT.CONTROL_REGISTER_ACCESS,
    primary: PRIMARY.CR3_LOAD_EXITING,
    qualification: 0x303n,
    length: 3n,
  },
  {
    name: "MOV from CR3",
    text: "mov r9, cr3",
    reason: EXIT.CONTROL_REGISTER_ACCESS,
    primary: PRIMARY.CR3_STORE_EXITING,
    qualification: 0x913n,
    length: 4n,
  },
  {
    name: "MOV to CR8",
    text: "mov cr8, rax",
    reason: EXIT.CONTROL_REGISTER_ACCESS,
    primary: PRIMARY.CR8_LOAD_EXITING,
    qualification: 0x008n,
    length: 4n,
  },
  {
    name: "MOV from CR8",
    text: "mov rdx, cr8",
    reason: EXIT.CONTROL_REGISTER_ACCESS,
    primary: PRIMARY.CR8_STORE_EXITING,
    qualification: 0x218n,
    length: 4n,
  },
  {
    name: "MOV to CR0 of a bit that the hypervisor owns",
    text: "mov rax, 0x80010031\nmov cr0, rax",
    reason: EXIT.CONTROL_REGISTER_ACCESS,
    prepare(bench) {
      bench.set("CR0_GUEST_HOST_MASK", 2);
      bench.set("CR0_READ_SHADOW", 0x8001_0033n);
    },
    qualification: 0n,
    length: 3n,
  },
  {
    name: "MOV to CR4 of a bit that the hypervisor owns",
    text: "mov rax, cr4\nor rax, 0x2000\nmov cr4, rax",
    reason: EXIT.CONTROL_REGISTER_ACCESS,
    prepare: (bench) => bench.set("CR4_GUEST_HOST_MASK", 0x2000),
    qualification: 4n,
    length: 3n,
  },
  {
    name: "CLTS of a bit that the hypervisor owns",
    text: "clts",
    reason: EXIT.CONTROL_REGISTER_ACCESS,
    prepare(bench) {
      bench.set("CR0_GUEST_HOST_MASK", 8);
      bench.set("CR0_READ_SHADOW", 8);
    },
    qualification: 0x20n,
    length: 2n,
  },
  {
    name: "LMSW of a bit that the hypervisor owns",
    text: "mov eax, 0x000b\nlmsw ax",
    reason: EXIT.CONTROL_REGISTER_ACCESS,
    prepare: (bench) => bench.set("CR0_GUEST_HOST_MASK", 8),
    qualification: 0x000b_0030n,
    length: 3n,
  },
  {
    name: "MOV to DR7",
    text: "mov dr7, rcx",
    reason: EXIT.MOV_DR,
    primary: PRIMARY.MOV_DR_EXITING,
    qualification: 0x107n,
    length: 3n,
  },
  {
    name: "MOV from DR6",
    text: "mov rbx, dr6",
    reason: EXIT.MOV_DR,
    primary: PRIMARY.MOV_DR_EXITING,
    qualification: 0x316n,
    length: 3n,
  },
  {
    name: "IN AL, imm8",
    text: "in al, 0x71",
    reason: EXIT.IO_INSTRUCTION,
    primary: PRIMARY.UNCONDITIONAL_IO_EXITING,
    qualification: 0x0071_0048n,
    length: 2n,
  },
  {
    name: "OUT DX, EAX",
    text: "mov dx, 0xcf8\nout dx, eax",
    reason: EXIT.IO_INSTRUCTION,
    primary: PRIMARY.UNCONDITIONAL_IO_EXITING,
    qualification: 0x0cf8_0003n,
    length: 1n,
  },
  {
    name: "REP OUTSB",
    text: "mov dx, 0x3f8\nmov ecx, 3\nmov esi, 0x80000\nrep outsb",
    reason: EXIT.IO_INSTRUCTION,
    primary: PRIMARY.UNCONDITIONAL_IO_EXITING,
    qualification: 0x03f8_0030n,
    information: (2n << 7n) | (3n << 15n),
    length: 2n,
  },
  {
    name: "INSW",
    text: "mov dx, 0x1f0\nmov edi, 0x80000\ninsw",
    reason: EXIT.IO_INSTRUCTION,
    primary: PRIMARY.UNCONDITIONAL_IO_EXITING,
    qualification: 0x01f0_0019n,
    information: (2n << 7n) | (3n << 15n),
    length: 2n,
  },
  {
    name: "LGDT [RAX+8]",
    text: "lgdt [rax+8]",
    reason: EXIT.GDTR_OR_IDTR_ACCESS,
    secondary: SECONDARY.DESCRIPTOR_TABLE_EXITING,
    qualification: 8n,
    information: (2n << 7n) | (1n << 11n) | (3n << 15n) | (1n << 22n) | (2n << 28n),
    length: 4n,
  },
  {
    name: "SIDT [RAX]",
    text: "sidt [rax]",
    reason: EXIT.GDTR_OR_IDTR_ACCESS,
    secondary: SECONDARY.DESCRIPTOR_TABLE_EXITING,
    information: (2n << 7n) | (1n << 11n) | (3n << 15n) | (1n << 22n) | (1n << 28n),
    length: 3n,
  },
  {
    name: "LTR CX",
    text: "ltr cx",
    reason: EXIT.LDTR_OR_TR_ACCESS,
    secondary: SECONDARY.DESCRIPTOR_TABLE_EXITING,
    information: (1n << 3n) | 0x400n | (3n << 28n),
    length: 3n,
  },
];

describe("An instruction exits", () => {
  for (const { name, text, reason, primary, secondary, prepare, ...expected } of cases) {
    test(`${name}, with reason ${reason}`, () => {
      const bench = new GuestBench();
      if (primary !== undefined) bench.enable("PRIMARY_CONTROLS", primary);
      if (secondary !== undefined) bench.enable("SECONDARY_CONTROLS", secondary);
      prepare?.(bench);
      expect(bench.run(text)).toBe(reason);
      expect(bench.get("EXIT_REASON")).toBe(BigInt(reason));
      expect(bench.get("EXIT_QUALIFICATION")).toBe(expected.qualification ?? 0n);
      expect(bench.get("EXIT_INSTRUCTION_LENGTH")).toBe(expected.length);
      expect(bench.get("EXIT_INSTRUCTION_INFORMATION")).toBe(expected.information ?? 0n);
      expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(0n);
      expect(bench.get("IDT_VECTORING_INFORMATION")).toBe(0n);
    });
  }

  test("only at CPL 0 where CPL 3 would be #GP(0) anyway", () => {
    for (const text of ["hlt", "mov rax, cr3", "invlpg [rax]", "rdmsr", "wbinvd", "clts"]) {
      const bench = new GuestBench();
      bench.enable("PRIMARY_CONTROLS", PRIMARY.INVLPG_EXITING | PRIMARY.CR3_STORE_EXITING);
      bench.enable("SECONDARY_CONTROLS", SECONDARY.WBINVD_EXITING);
      bench.set("CR0_GUEST_HOST_MASK", 8);
      bench.set("CR0_READ_SHADOW", 8);
      bench.set("EXCEPTION_BITMAP", 1 << 13);
      bench.set("GUEST_CS_SELECTOR", 0x23);
      bench.set("GUEST_CS_ACCESS_RIGHTS", 0xa0fb);
      bench.set("GUEST_SS_SELECTOR", 0x2b);
      bench.set("GUEST_SS_ACCESS_RIGHTS", 0xc0f3);
      expect(bench.run(text)).toBe(EXIT.EXCEPTION_OR_NMI);
      expect(bench.get("EXIT_INTERRUPTION_INFORMATION")).toBe(0x8000_0b0dn);
    }
  });
});

describe("What does not exit", () => {
  test("reads control registers through masks and shadows", () => {
    const bench = new GuestBench();
    bench.set("CR0_GUEST_HOST_MASK", 0x8000_002an);
    bench.set("CR0_READ_SHADOW", 0x8n);
    bench.set("CR4_GUEST_HOST_MASK", 0x2000);
    expect(bench.run("mov rax, cr0\nmov rbx, cr4\nsmsw ecx\nhlt")).toBe(EXIT.HLT);
    const { state } = bench.processor;
    expect([state.rax, state.rbx, state.rcx]).toEqual([0x0001_0019n, 0x620n, 0x0001_0019n]);
  });

  test("writes the bits of CR0 and CR4 that the guest owns, and no other", () => {
    const bench = new GuestBench();
    bench.set("CR0_GUEST_HOST_MASK", 0x8000_0021n);
    bench.set("CR0_READ_SHADOW", 0x8000_0001n);
    bench.set("CR4_GUEST_HOST_MASK", 0x2000);
    const text = "mov rax, 0x80010009\nmov cr0, rax\nmov rax, 0x6a0\nmov cr4, rax\nhlt";
    expect(bench.run(text)).toBe(EXIT.HLT);
    expect([bench.get("GUEST_CR0"), bench.get("GUEST_CR4")]).toEqual([0x8001_0039n, 0x26a0n]);
  });

  test("raises #GP(0) for values that VMX operation does not allow", () => {
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 1 << 13);
    expect(bench.run("mov rax, 0x80010011\nmov cr0, rax")).toBe(EXIT.EXCEPTION_OR_NMI);
    const other = new GuestBench();
    other.set("EXCEPTION_BITMAP", 1 << 13);
    expect(other.run("mov rax, 0x620\nmov cr4, rax")).toBe(EXIT.EXCEPTION_OR_NMI);
  });

  test("leaves CR0.TS alone when the hypervisor owns it and the guest believes it clear", () => {
    const bench = new GuestBench();
    bench.set("GUEST_CR0", 0x8001_003bn);
    bench.set("CR0_GUEST_HOST_MASK", 8);
    expect(bench.run("clts\nhlt")).toBe(EXIT.HLT);
    expect(bench.get("GUEST_CR0")).toBe(0x8001_003bn);
  });

  test("loads a CR3 that is a CR3-target value", () => {
    const bench = new GuestBench();
    bench.enable("PRIMARY_CONTROLS", PRIMARY.CR3_LOAD_EXITING);
    bench.set("CR3_TARGET_COUNT", 2);
    bench.set("CR3_TARGET_VALUE1", GUEST.pml4);
    expect(bench.run(`mov eax, ${GUEST.pml4}\nmov cr3, rax\nhlt`)).toBe(EXIT.HLT);
    bench.set("CR3_TARGET_COUNT", 1);
    bench.set("GUEST_RIP", GUEST.code);
    expect(bench.exit()).toBe(EXIT.CONTROL_REGISTER_ACCESS);
  });

  test("raises #UD for RDTSCP unless it is enabled, and offsets the TSC", () => {
    const bench = new GuestBench();
    bench.set("EXCEPTION_BITMAP", 1 << 6);
    expect(bench.run("rdtscp")).toBe(EXIT.EXCEPTION_OR_NMI);
    bench.enable("PRIMARY_CONTROLS", PRIMARY.USE_TSC_OFFSETTING);
    bench.set("TSC_OFFSET", 0x100_0000_0000n);
    bench.set("GUEST_RIP", GUEST.code);
    expect(bench.run("rdtsc\nhlt")).toBe(EXIT.HLT);
    const { state } = bench.processor;
    expect(state.rdx).toBe(0x100n);
    expect(state.get(slots.tscOffset)).toBe(0n);
  });
});

describe("Bitmaps", () => {
  test('decide which MSRs exit: Intel SDM Vol. 3C §25.6.9, "MSR-Bitmap Address"', () => {
    for (const [index, area] of [
      [0x174, 0],
      [0xc000_0082, 0x400],
    ] as const) {
      for (const [text, reason, base] of [
        ["rdmsr", EXIT.RDMSR, 0],
        ["wrmsr", EXIT.WRMSR, 0x800],
      ] as const) {
        const bench = new GuestBench();
        bench.load(GUEST.code, `mov ecx, ${index}\nxor eax, eax\nxor edx, edx\n${text}\nhlt`);
        expect(bench.exit()).toBe(EXIT.HLT);
        const low = index & 0x1fff;
        bench.memory.physical.writeU8(HOST.msrBitmap + base + area + (low >> 3), 1 << (low & 7));
        bench.set("GUEST_RIP", GUEST.code);
        expect(bench.exit()).toBe(reason);
        expect(bench.get("EXIT_INSTRUCTION_LENGTH")).toBe(2n);
      }
    }
  });

  test("let MSRs outside their ranges exit always", () => {
    const bench = new GuestBench();
    expect(bench.run("mov ecx, 0x40000000\nrdmsr")).toBe(EXIT.RDMSR);
    const none = new GuestBench();
    none.disable("PRIMARY_CONTROLS", PRIMARY.USE_MSR_BITMAPS);
    expect(none.run("mov ecx, 0x174\nrdmsr")).toBe(EXIT.RDMSR);
  });

  test('decide which ports exit: Intel SDM Vol. 3C §25.6.4, "I/O-Bitmap Addresses"', () => {
    for (const [port, map, size] of [
      [0x61, HOST.ioBitmapA, "al"],
      [0x7fff, HOST.ioBitmapA, "al"],
      [0x8000, HOST.ioBitmapB, "al"],
      [0xc03, HOST.ioBitmapA, "eax"],
    ] as const) {
      const bench = new GuestBench();
      bench.enable("PRIMARY_CONTROLS", PRIMARY.USE_IO_BITMAPS);
      // A four-byte access that ends at the port exits, too.
      const first = size === "eax" ? port - 3 : port;
      bench.load(GUEST.code, `mov edx, ${first}\nin ${size}, dx\nhlt`);
      expect(bench.exit()).toBe(EXIT.HLT);
      expect(bench.ports).toEqual([first]);
      const low = port & 0x7fff;
      bench.memory.physical.writeU8(map + (low >> 3), 1 << (low & 7));
      bench.set("GUEST_RIP", GUEST.code);
      expect(bench.exit()).toBe(EXIT.IO_INSTRUCTION);
      expect(bench.ports).toEqual([first]);
    }
  });

  test("let an access that wraps around the last port exit", () => {
    const bench = new GuestBench();
    bench.enable("PRIMARY_CONTROLS", PRIMARY.USE_IO_BITMAPS);
    expect(bench.run("mov edx, 0xffff\nin eax, dx")).toBe(EXIT.IO_INSTRUCTION);
  });
});

describe("The TPR shadow", () => {
  test('takes CR8 to the virtual-APIC page, and exits below the threshold: Intel SDM Vol. 3C §30.1.1, "Virtualized APIC Registers"', () => {
    const bench = new GuestBench();
    bench.enable("PRIMARY_CONTROLS", PRIMARY.USE_TPR_SHADOW);
    bench.memory.physical.writeU32(HOST.virtualApic + 0x80, 0x90);
    bench.set("TPR_THRESHOLD", 5);
    bench.load(GUEST.code, "mov rbx, cr8\nmov eax, 7\nmov cr8, rax\nmov eax, 4\nmov cr8, rax\nhlt");
    expect(bench.exit()).toBe(EXIT.TPR_BELOW_THRESHOLD);
    expect(bench.processor.state.rbx).toBe(9n);
    expect(bench.memory.physical.readU32(HOST.virtualApic + 0x80)).toBe(0x40);
    // Like a trap: the instruction is done.
    bench.set("TPR_THRESHOLD", 0);
    expect(bench.exit()).toBe(EXIT.HLT);
  });
});
