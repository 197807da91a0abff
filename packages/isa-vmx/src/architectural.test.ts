/** A hypervisor in assembly on the bare processor, and the VMX instructions as software sees them. Intel SDM Vol. 3C §31.3, "VMX Instructions". */
import { assemble, HostMemory, Processor, slots, type ProcessorExit } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { CAPABILITY_MSR } from "./capabilities.ts";
import { EXIT } from "./exit-reasons.ts";
import { FIELD, type FieldKey } from "./fields.ts";
import { vmxExtension } from "./vmx-extension.ts";
import type { VmxControl } from "./vmx-control.ts";

const CODE = 0x1_0000;
const GUEST_CODE = 0x2_0000;
const EXIT_HANDLER = 0x3_0000;
const HANDLERS = 0x4_0000;
const STACK = 0x7_0000;
const VMXON = 0x20_0000;
const VMCS = 0x20_1000;
const VMCS2 = 0x20_2000;
const IDT = 0x9000;

const extension = vmxExtension();

const OPERATIONS = {
  vmcall: "db 0x0f, 0x01, 0xc1",
  vmlaunch: "db 0x0f, 0x01, 0xc2",
  vmresume: "db 0x0f, 0x01, 0xc3",
  vmxoff: "db 0x0f, 0x01, 0xc4",
  /** Their operand is [RAX]. */
  vmxon: "db 0xf3, 0x0f, 0xc7, 0x30",
  vmclear: "db 0x66, 0x0f, 0xc7, 0x30",
  vmptrld: "db 0x0f, 0xc7, 0x30",
  vmptrst: "db 0x0f, 0xc7, 0x38",
  /** VMWRITE RCX, RBX and VMREAD RBX, RCX. */
  vmwrite: "db 0x0f, 0x79, 0xcb",
  vmread: "db 0x0f, 0x78, 0xcb",
} as const;

/** A pointer operand of an instruction, by way of the stack. */
function pointed(operation: keyof typeof OPERATIONS, physical: number): string {
  return `mov eax, ${physical}\npush rax\nmov rax, rsp\n${OPERATIONS[operation]}\nlea rsp, [rsp+8]`;
}

function written(field: FieldKey, value: bigint | string): string {
  const text = typeof value === "string" ? value : `mov rbx, ${value}`;
  return `${text}\nmov ecx, ${FIELD[field]}\n${OPERATIONS.vmwrite}`;
}

function read(field: FieldKey): string {
  return `mov ecx, ${FIELD[field]}\n${OPERATIONS.vmread}`;
}

/** Bare metal in long mode, where VMX may be used. */
class Bare {
  readonly memory: HostMemory = HostMemory.create({
    physicalBytes: 0x40_0000,
    codeCacheBytes: 0x10_0000,
  });
  readonly processor: Processor;
  readonly control: VmxControl;

  constructor() {
    this.processor = new Processor({
      memory: this.memory,
      ports: { read: () => 0, write: () => undefined },
      interrupts: {
        acknowledge: () => 0x40,
        readTaskPriority: () => 0,
        writeTaskPriority: () => undefined,
      },
      extensions: [extension],
    });
    this.control = extension.of(this.processor);
    const { physical } = this.memory;
    physical.writeU64(0x1000, 0x2007n);
    physical.writeU64(0x2000, 0x3007n);
    physical.writeU64(0x3000, 0x87n);
    physical.writeU64(0x3008, 0x20_0087n);
    physical.writeU64(0x8008, 0x00af_9b00_0000_ffffn);
    physical.writeU64(0x8010, 0x00cf_9300_0000_ffffn);
    for (let vector = 0; vector < 32; vector += 1) {
      const handler = HANDLERS + vector * 16;
      physical.writeU8(handler, 0xf4);
      const low =
        BigInt(handler & 0xffff) | (8n << 16n) | (0x8en << 40n) | (BigInt(handler >>> 16) << 48n);
      physical.writeU64(IDT + vector * 16, low);
    }
    for (const region of [VMXON, VMCS, VMCS2]) physical.writeU32(region, this.control.revision);
  }

  load(address: number, text: string): void {
    this.memory.physical.write(
      address,
      assemble(text, { mode: 64, address: BigInt(address) }).bytes,
    );
  }

  /** Runs code at CPL 0 until HLT. */
  run(text: string, options: { readonly vmxe?: boolean; readonly locked?: boolean } = {}): void {
    this.load(CODE, `${text}\nhlt`);
    const { state } = this.processor;
    this.processor.reset();
    state.enterLongMode({ cpl: 0, cr3: 0x1000, rip: BigInt(CODE), rsp: BigInt(STACK) });
    state.set(slots.gdtrBase, 0x8000n);
    state.set(slots.gdtrLimit, 0x1fn);
    state.set(slots.idtrBase, BigInt(IDT));
    state.set(slots.idtrLimit, 0x1ffn);
    if (options.vmxe !== false) state.setControl("cr4", state.cr4 | 0x2000n);
    if (options.locked !== false) {
      this.load(0x5_0000, "mov ecx, 0x3a\nmov eax, 5\nxor edx, edx\nwrmsr\nhlt");
      state.rip = 0x5_0000n;
      this.expectHalt(this.processor.run(100));
      state.set(slots.halted, 0n);
      state.rip = BigInt(CODE);
    }
    this.expectHalt(this.processor.run(10_000));
  }

  expectHalt(exit: ProcessorExit): void {
    if (exit.reason !== "halted")
      throw new Error(`Expected HLT, and the processor came back with ${exit.reason}.`);
  }

  /** Vector of the exception whose handler was reached, or undefined. */
  get vector(): number | undefined {
    const vector = Math.floor((Number(this.processor.state.rip) - HANDLERS) / 16);
    return vector >= 0 && vector < 32 ? vector : undefined;
  }

  /** VMsucceed, VMfailInvalid, or VMfailValid with its error number, of the last instruction. */
  get outcome(): "succeed" | "invalid" | number {
    const flags = this.processor.state.rflags & 0x8d5n;
    if (flags === 0n) return "succeed";
    if (flags === 1n) return "invalid";
    if (flags !== 0x40n) throw new Error(`Flags 0x${flags.toString(16)} are no VMX outcome.`);
    return Number(this.control.vmread("VM_INSTRUCTION_ERROR"));
  }
}

const enter = pointed("vmxon", VMXON);
const current = `${enter}\n${pointed("vmclear", VMCS)}\n${pointed("vmptrld", VMCS)}`;
/** LEA leaves the flags as the instruction set them. */
const outcomes: readonly (readonly [string, string, "succeed" | "invalid" | number])[] = [
  ["VMXON", enter, "succeed"],
  ["VMXON of an unaligned region", pointed("vmxon", VMXON + 8), "invalid"],
  ["VMXON of a region without the revision", pointed("vmxon", VMXON + 0x8000), "invalid"],
  ["VMXON in root operation without a VMCS", `${enter}\n${enter}`, "invalid"],
  ["VMXON in root operation", `${current}\n${enter}`, 15],
  ["VMCLEAR of the VMXON region", `${current}\n${pointed("vmclear", VMXON)}`, 3],
  ["VMCLEAR of an unaligned region", `${current}\n${pointed("vmclear", VMCS + 1)}`, 2],
  ["VMPTRLD of the VMXON region", `${current}\n${pointed("vmptrld", VMXON)}`, 10],
  ["VMPTRLD of an unaligned region", `${current}\n${pointed("vmptrld", VMCS + 64)}`, 9],
  ["VMPTRLD without the revision", `${current}\n${pointed("vmptrld", VMCS + 0x8000)}`, 11],
  ["VMREAD without a VMCS", `${enter}\n${read("GUEST_RIP")}`, "invalid"],
  ["VMREAD of no field", `${current}\nmov ecx, 0x6aaa\n${OPERATIONS.vmread}`, 12],
  ["VMWRITE of a read-only field", `${current}\n${written("EXIT_REASON", 1n)}`, 13],
  ["VMLAUNCH without a VMCS", `${enter}\n${OPERATIONS.vmlaunch}`, "invalid"],
  ["VMLAUNCH of an empty VMCS", `${current}\n${OPERATIONS.vmlaunch}`, 7],
  ["VMRESUME of a clear VMCS", `${current}\n${OPERATIONS.vmresume}`, 5],
  ["VMLAUNCH behind MOV SS", `${current}\nmov eax, 0x10\nmov ss, eax\n${OPERATIONS.vmlaunch}`, 26],
  ["VMCALL in root operation", `${current}\n${OPERATIONS.vmcall}`, 1],
];

describe("A VMX instruction", () => {
  for (const [name, text, outcome] of outcomes) {
    const words =
      typeof outcome === "number"
        ? `fails with error ${outcome}`
        : outcome === "invalid"
          ? "fails without a current VMCS to say why"
          : "succeeds";
    test(`${words}: ${name}`, () => {
      const bare = new Bare();
      bare.run(text);
      expect(bare.vector).toBeUndefined();
      expect(bare.outcome).toBe(outcome);
    });
  }

  for (const [name, text, vector, options] of [
    ["VMXON without CR4.VMXE is #UD", enter, 6, { vmxe: false }],
    ["VMXON without IA32_FEATURE_CONTROL is #GP(0)", enter, 13, { locked: false }],
    ["VMREAD outside VMX operation is #UD", read("GUEST_RIP"), 6, {}],
    [
      "VMLAUNCH after VMXOFF is #UD",
      `${enter}\n${OPERATIONS.vmxoff}\n${OPERATIONS.vmlaunch}`,
      6,
      {},
    ],
    [
      "MOV to CR4 without VMXE in VMX operation is #GP(0)",
      `${enter}\nmov rax, 0x620\nmov cr4, rax`,
      13,
      {},
    ],
    [
      "MOV to CR0 without NE in VMX operation is #GP(0)",
      `${enter}\nmov rax, 0x80010013\nmov cr0, rax`,
      13,
      {},
    ],
    [
      "WRMSR of a locked IA32_FEATURE_CONTROL is #GP(0)",
      "mov ecx, 0x3a\nxor eax, eax\nxor edx, edx\nwrmsr",
      13,
      {},
    ],
    [
      "WRMSR of a capability is #GP(0)",
      "mov ecx, 0x480\nxor eax, eax\nxor edx, edx\nwrmsr",
      13,
      {},
    ],
  ] as const) {
    test(`faults: ${name}`, () => {
      const bare = new Bare();
      bare.run(text, options);
      expect(bare.vector).toBe(vector);
    });
  }

  test("writes and reads fields, halves of 64-bit fields too, truncated to their width", () => {
    const bare = new Bare();
    bare.run(
      [
        current,
        written("TSC_OFFSET", 0x1122_3344_5566_7788n),
        `mov ecx, ${FIELD.TSC_OFFSET + 1}\nmov rbx, 0x99\n${OPERATIONS.vmwrite}`,
        written("GUEST_CS_SELECTOR", 0x1_2345n),
        read("GUEST_CS_SELECTOR"),
        "mov rdi, rbx",
        read("TSC_OFFSET"),
        "mov rsi, rbx",
        `mov ecx, ${FIELD.TSC_OFFSET + 1}\n${OPERATIONS.vmread}`,
      ].join("\n"),
    );
    const { state } = bare.processor;
    expect([state.rdi, state.rsi, state.rbx]).toEqual([0x2345n, 0x99_5566_7788n, 0x99n]);
  });

  test("stores the current pointer, all ones where there is none", () => {
    const bare = new Bare();
    const store = `sub rsp, 8\nmov rax, rsp\n${OPERATIONS.vmptrst}\npop rbx`;
    bare.run(`${enter}\n${store}\nmov rdi, rbx\n${pointed("vmptrld", VMCS2)}\n${store}`);
    expect([bare.processor.state.rdi, bare.processor.state.rbx]).toEqual([
      0xffff_ffff_ffff_ffffn,
      BigInt(VMCS2),
    ]);
  });

  test("capability MSRs say what the entry checks demand", () => {
    const bare = new Bare();
    const value = (index: number): bigint => {
      bare.run(`mov ecx, ${index}\nrdmsr`);
      return (bare.processor.state.rdx << 32n) | bare.processor.state.rax;
    };
    expect(value(CAPABILITY_MSR.BASIC)).toBe(0x00d8_1000_0000_0010n);
    expect(value(CAPABILITY_MSR.TRUE_PROCBASED) & 0xffff_ffffn).toBe(0x0400_6172n);
    expect(value(CAPABILITY_MSR.PROCBASED) & 0xffff_ffffn).toBe(0x0401_e172n);
    expect(value(CAPABILITY_MSR.TRUE_EXIT) & 0xffff_ffffn).toBe(0x3_6dfbn);
    expect(value(CAPABILITY_MSR.TRUE_ENTRY) & 0xffff_ffffn).toBe(0x11fbn);
    expect(value(CAPABILITY_MSR.EPT_VPID)).toBe(0x0f01_0611_4141n);
    bare.run("mov eax, 1\ncpuid");
    expect(bare.processor.state.rcx & 0x20n).toBe(0x20n);
  });
});

/** The VMCS of a guest that shares the host's page tables. */
const vmcs: readonly (readonly [FieldKey, bigint | string])[] = [
  ["PIN_BASED_CONTROLS", 0x16n],
  ["PRIMARY_CONTROLS", 0x0400_6172n | 0x80n],
  ["VM_EXIT_CONTROLS", 0x3_6dfbn | 0x200n],
  ["VM_ENTRY_CONTROLS", 0x11fbn | 0x200n],
  ["VMCS_LINK_POINTER", 0xffff_ffff_ffff_ffffn],
  ["HOST_CR0", "mov rbx, cr0"],
  ["HOST_CR3", "mov rbx, cr3"],
  ["HOST_CR4", "mov rbx, cr4"],
  ["HOST_CS_SELECTOR", 8n],
  ["HOST_SS_SELECTOR", 0x10n],
  ["HOST_TR_SELECTOR", 0x18n],
  ["HOST_GDTR_BASE", 0x8000n],
  ["HOST_IDTR_BASE", BigInt(IDT)],
  ["HOST_RSP", BigInt(STACK)],
  ["HOST_RIP", BigInt(EXIT_HANDLER)],
  ["GUEST_CR0", "mov rbx, cr0"],
  ["GUEST_CR3", "mov rbx, cr3"],
  ["GUEST_CR4", "mov rbx, cr4"],
  ["GUEST_DR7", 0x400n],
  ["GUEST_CS_SELECTOR", 8n],
  ["GUEST_CS_LIMIT", 0xffff_ffffn],
  ["GUEST_CS_ACCESS_RIGHTS", 0xa09bn],
  ...(["SS", "DS", "ES", "FS", "GS"] as const).flatMap((name): (readonly [FieldKey, bigint])[] => [
    [`GUEST_${name}_SELECTOR`, 0x10n],
    [`GUEST_${name}_LIMIT`, 0xffff_ffffn],
    [`GUEST_${name}_ACCESS_RIGHTS`, 0xc093n],
  ]),
  ["GUEST_LDTR_ACCESS_RIGHTS", 0x1_0000n],
  ["GUEST_TR_ACCESS_RIGHTS", 0x8bn],
  ["GUEST_TR_LIMIT", 0x67n],
  ["GUEST_RIP", BigInt(GUEST_CODE)],
  ["GUEST_RSP", BigInt(STACK - 0x1000)],
  ["GUEST_RFLAGS", 2n],
];
const launch = [
  current,
  ...vmcs.map(([field, value]) => written(field, value)),
  OPERATIONS.vmlaunch,
].join("\n");

describe("A hypervisor in assembly", () => {
  test("launches a guest, handles its exits and resumes it until it halts", () => {
    const bare = new Bare();
    // The guest counts CPUIDs; the host answers each with 7 and notes HLT.
    bare.load(
      GUEST_CODE,
      "xor edi, edi\nmov esi, 3\nagain:\nmov eax, 1\ncpuid\nadd rdi, rax\ndec esi\njnz again\nhlt",
    );
    bare.load(
      EXIT_HANDLER,
      [
        read("EXIT_REASON"),
        `cmp ebx, ${EXIT.CPUID}`,
        "jne done",
        read("GUEST_RIP"),
        "mov rdx, rbx",
        read("EXIT_INSTRUCTION_LENGTH"),
        "add rbx, rdx",
        `mov ecx, ${FIELD.GUEST_RIP}\n${OPERATIONS.vmwrite}`,
        "mov eax, 7",
        OPERATIONS.vmresume,
        "done:",
        "mov r8, rbx",
        "hlt",
      ].join("\n"),
    );
    bare.run(launch);
    const { state } = bare.processor;
    expect(bare.vector).toBeUndefined();
    expect(state.register(8)).toBe(BigInt(EXIT.HLT));
    expect(state.rdi).toBe(21n);
    expect(bare.control.counts()).toMatchObject({
      entries: 4,
      failedEntries: 0,
      exits: { cpuid: 3, hlt: 1 },
    });
  });

  test("gets its host state as VM exit defines it", () => {
    const bare = new Bare();
    bare.load(GUEST_CODE, "stc\nstd\ncpuid");
    bare.load(EXIT_HANDLER, "hlt");
    bare.run(launch);
    const { state } = bare.processor;
    expect(state.rip).toBe(BigInt(EXIT_HANDLER + 1));
    expect([state.rflags, state.rsp, state.cpl]).toEqual([2n, BigInt(STACK), 0]);
    expect(state.get(slots.dr7)).toBe(0x400n);
    expect(state.segment("cs")).toEqual({
      selector: 8,
      base: 0n,
      limit: 0xffff_ffff,
      attributes: 0xa09b,
    });
    expect(state.segment("tr")).toEqual({
      selector: 0x18,
      base: 0n,
      limit: 0x67,
      attributes: 0x8b,
    });
    expect(state.segment("ds").attributes).toBe(0x1_c093);
    expect(state.get(slots.gdtrLimit)).toBe(0xffffn);
    expect(state.efer & 0x500n).toBe(0x500n);
  });

  test("comes back at HOST_RIP when its guest's state is wrong, with an explanation beside it", () => {
    const bare = new Bare();
    bare.load(EXIT_HANDLER, `${read("EXIT_REASON")}\nhlt`);
    bare.run(
      launch.replace(OPERATIONS.vmlaunch, `${written("GUEST_RFLAGS", 0n)}\n${OPERATIONS.vmlaunch}`),
    );
    expect(bare.processor.state.rbx).toBe(0x8000_0021n);
    expect(bare.control.lastEntryFailure).toMatchObject({
      check: "guest-rflags-reserved",
      value: 0n,
    });
  });

  test("takes the guest's exceptions and software interrupts through the guest's IDT", () => {
    const bare = new Bare();
    bare.load(GUEST_CODE, "ud2");
    bare.load(EXIT_HANDLER, "hlt");
    bare.run(launch);
    // No IDT in the guest: a triple fault, which is an exit here.
    expect(bare.control.vmread("EXIT_REASON")).toBe(BigInt(EXIT.TRIPLE_FAULT));
  });
});
