/** What is emitted for each class of instruction, read back by the disassembler. */
import { assemble, disassemble, HostMemory } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { Region, regionFrames } from "../cache/region.ts";
import { Translator } from "./translator.ts";
import type { TranslatedUnit } from "./unit.ts";

const region = new Region(
  HostMemory.create({ physicalBytes: regionFrames * 4096, codeCacheBytes: 1 << 20 }),
  0,
);
const kernel = 0xffff_ffff_8010_0000n;

interface Translation {
  readonly unit: TranslatedUnit;
  /** The unit's code, addresses of slots by name. */
  readonly text: readonly string[];
}

const slotNames: readonly (readonly [string, string])[] = [
  ["0xffffffffffe00000", "$rax"],
  ["0xffffffffffe00008", "$rcx"],
  ["0xffffffffffe00018", "$other"],
  ["0xffffffffffe00020", "$flags"],
  ["0xffffffffffe00028", "$target"],
  ["0xffffffffffe00030", "$interruptFlag"],
  ["0xffffffffffe00038", "$pending"],
  ["0xffffffffffe00040", "$taskPriority"],
  ["0xffffffffffe00048", "$waitingClass"],
  ["0xffffffffffe00060", "$cr3"],
  ["0xffffffffffe00070", "$kernelGsBase"],
  ["0xffffffffffe00078", "$postPort"],
  ["0xffffffffffe00080", "$lookups"],
];

function translate(
  source: string | Uint8Array,
  options: {
    readonly at?: bigint;
    readonly trapping?: readonly bigint[];
    readonly iopl?: boolean;
  } = {},
): Translation {
  const at = options.at ?? kernel;
  const bytes = typeof source === "string" ? assemble(source, { address: at }).bytes : source;
  const translator = new Translator({
    region,
    fetch: (linear) => {
      const from = Number(linear - at);
      if (from < 0 || from >= bytes.length) return undefined;
      const end = Math.min(bytes.length, from + 4096 - Number(linear & 0xfffn));
      return { gpa: 0x10_0000 + from, bytes: bytes.subarray(from, end) };
    },
    isTrapping: (rip) => options.trapping?.includes(rip) ?? false,
    hasBreakpoint: () => false,
    hasUnusualFlags: () => options.iopl ?? false,
  });
  const unit = translator.translate(at, 0);
  if (unit === undefined) throw new Error("The code could not be fetched.");
  const lines = [...disassemble(unit.bytes, { address: region.code })];
  return { unit, text: lines.map(({ text }) => named(text)) };
}

function named(text: string): string {
  return slotNames.reduce(
    (all, [address, name]) => all.replaceAll(`[${address}]`, `[${name}]`),
    text,
  );
}

describe("innocuous instructions", () => {
  test("are copied byte for byte", () => {
    const source =
      "mov rax, [rdi+8]\nadd eax, ebx\nrep stosq\nlock cmpxchg [rsi], rdx\nmov rcx, gs:[0]";
    const { unit } = translate(`${source}\nret`);
    const copied = assemble(source).bytes;
    expect(unit.bytes.subarray(0, copied.length)).toEqual(copied);
  });

  test("end a unit after twelve, which then goes on", () => {
    const { unit } = translate("inc rax\n".repeat(20));
    expect(unit.instructions).toHaveLength(12);
    expect(unit.exits).toEqual([
      { kind: "continuation", offset: 36, target: kernel + 36n, branchOffset: undefined },
    ]);
  });

  test("keep the mark that observers of the machine look for", () => {
    const mark = Uint8Array.of(0x0f, 0x1f, 0x84, 0x00, 0x01, 0x00, 0x49, 0x52);
    expect(translate(Uint8Array.of(...mark, 0xc3)).unit.bytes.subarray(0, 8)).toEqual(mark);
  });
});

describe("operands relative to RIP", () => {
  test("count from the cache when the target is in reach", () => {
    const { text } = translate(`mov rax, [rel ${kernel + 0x3000n}]\nret`);
    expect(text[0]).toBe("mov rax, qword ptr [rel 0xffffffff80103000]");
  });

  test("count from the cache across the end of the address space, too", () => {
    const { text } = translate("add dword ptr [rel 0x108000], 0x12345678\nret", { at: 0x10_0000n });
    expect(text[0]).toBe("add dword ptr [rel 0x108000], 0x12345678");
  });

  test("become absolute where 32 bits are enough", () => {
    const { text } = translate("add dword ptr [rel 0x7fffff00], 0x12345678\nret", {
      at: 0x7fff_0000n,
    });
    expect(text[0]).toBe("add dword ptr [0x7fffff00], 0x12345678");
  });

  test("go through a register that the instruction does not use, elsewhere", () => {
    const at = 0x7000_0000_0000n;
    const { text, unit } = translate(`mov rsi, [rel ${at + 0x100n}]\nret`, { at });
    expect(text.slice(0, 4)).toEqual([
      "mov qword ptr [$other], rdi",
      "mov rdi, 0x700000000100",
      "mov rsi, qword ptr [rdi]",
      "mov rdi, qword ptr [$other]",
    ]);
    expect(unit.places[1]?.spilled).toEqual([{ register: 7, slot: "other" }]);
  });

  test("go through a register that a REX prefix must not extend", () => {
    const at = 0x7000_0000_0000n;
    const { text } = translate(`mov [rel ${at + 0x100n}], r9\nret`, { at });
    expect(text[2]).toBe("mov qword ptr [rsi], r9");
  });
});

describe("direct branches", () => {
  test("call out until their target is known, with room for the jump", () => {
    const { unit, text } = translate(`jmp ${kernel + 0x500n}`);
    expect(text).toEqual(["int 0x60", "nop dword ptr [rax]"]);
    expect(unit.exits[0]).toMatchObject({ kind: "continuation", target: kernel + 0x500n });
  });

  test("leave for both ways when they have a condition", () => {
    const { unit, text } = translate(`jb ${kernel + 0x500n}`);
    expect(text[0]).toMatch(/^jb 0x/u);
    expect(unit.exits).toMatchObject([
      { target: kernel + 6n },
      { target: kernel + 0x500n, branchOffset: 2 },
    ]);
  });

  test("jump over the nearer way when they count", () => {
    const { unit, text } = translate(`jrcxz ${kernel + 0x20n}`);
    expect(text[0]).toBe(`jrcxz 0x${(region.code + 7n).toString(16)}`);
    expect(unit.exits).toMatchObject([{ target: kernel + 2n }, { target: kernel + 0x20n }]);
  });

  test("push the guest's own return address when they call", () => {
    const { text, unit } = translate(`call ${kernel + 0x500n}`);
    expect(text[0]).toBe("push -0x7feffffb");
    expect(unit.exits).toMatchObject([{ target: kernel + 0x500n }]);
  });

  test("push addresses beyond 32 bits through a register", () => {
    const at = 0x7000_0000_0000n;
    const { text } = translate(`call ${at + 0x500n}`, { at });
    expect(text.slice(0, 4)).toEqual([
      "mov qword ptr [$rax], rax",
      "mov rax, 0x700000000005",
      "push rax",
      "mov rax, qword ptr [$rax]",
    ]);
  });
});

describe("indirect branches", () => {
  test("look the target up and keep the flags", () => {
    const { text, unit } = translate("ret 16");
    expect(text.slice(0, 7)).toEqual([
      "mov qword ptr [$rcx], rcx",
      "mov rcx, qword ptr [rsp]",
      "lea rsp, [rsp+0x18]",
      "mov qword ptr [$rax], rax",
      "lahf",
      "seto al",
      "mov dword ptr [$flags], eax",
    ]);
    expect(text).toContain("jmp qword ptr [$target]");
    expect(unit.exits).toMatchObject([{ kind: "lookup", guestRip: kernel, stackBytes: 24n }]);
  });

  test("read the target before they push", () => {
    const { text } = translate("call [rsp+rbx*4+8]");
    expect(text.slice(0, 3)).toEqual([
      "mov qword ptr [$rcx], rcx",
      "mov rcx, qword ptr [rsp+rbx*4+0x8]",
      expect.stringMatching(/^push -0x/u),
    ]);
  });
});

describe("sensitive instructions", () => {
  test.each([
    ["cli", ["mov qword ptr [$interruptFlag], -0x200"]],
    ["mov rdi, cr3", ["mov rdi, qword ptr [$cr3]"]],
    ["mov r9, cr8", ["mov r9, qword ptr [$taskPriority]"]],
    ["in al, 0x80", ["mov al, byte ptr [$postPort]"]],
    ["rdtsc", ["rdtsc"]],
  ])("%s is done on the virtual CPU", (source, expected) => {
    expect(translate(`${source}\nret`).text.slice(0, expected.length)).toEqual(expected);
  });

  test("SWAPGS exchanges the base with a slot", () => {
    expect(translate("swapgs\nret").text.slice(2, 6)).toEqual([
      "rdgsbase rax",
      "mov rcx, qword ptr [$kernelGsBase]",
      "wrgsbase rcx",
      "mov qword ptr [$kernelGsBase], rax",
    ]);
  });

  test("MOV to CR8 stays in the cache, and the unit goes on behind it", () => {
    const { unit, text } = translate("mov cr8, rdx\ninc rbx\nret");
    expect(unit.instructions.map(({ treatment }) => treatment)).toEqual([
      "in-cache",
      "copy",
      "return",
    ]);
    const stored = text.indexOf("mov qword ptr [$taskPriority], rax");
    expect(text.slice(stored + 1, stored + 6)).toEqual([
      "mov eax, dword ptr [$flags]",
      "add al, 0x7f",
      "sahf",
      "mov rax, qword ptr [$rax]",
      "inc rbx",
    ]);
  });

  test("STI looks for what waits behind the next instruction", () => {
    const { text, unit } = translate("sti\ninc rax\nret");
    expect(text.slice(0, 5)).toEqual([
      "mov qword ptr [$interruptFlag], 0x0",
      "inc rax",
      "mov qword ptr [$rcx], rcx",
      "movzx ecx, byte ptr [$pending]",
      expect.stringMatching(/^jrcxz/u),
    ]);
    expect(unit.exits[0]).toMatchObject({ kind: "pending", next: kernel + 4n });
  });

  test("STI in front of a branch is the hypervisor's", () => {
    expect(translate("sti\nret").unit.exits[0]).toMatchObject({ kind: "emulate", mnemonic: "sti" });
  });

  test.each([
    "mov cr3, rax",
    "in al, dx",
    "out 0x80, al",
    "in al, 0x60",
    "hlt",
    "iretq",
    "sysretq",
    "syscall",
    "int 0x30",
    "int3",
    "lgdt [rax]",
    "sgdt [rax]",
    "str ax",
    "smsw ax",
    "mov ax, cs",
    "mov ds, ax",
    "push fs",
    "pop gs",
    "lar eax, ebx",
    "verw ax",
    "cpuid",
    "rdmsr",
    "wrmsr",
    "invlpg [rax]",
    "mov dr7, rax",
    "mov rax, dr6",
    "wbinvd",
    "retf",
    "call far dword ptr [rax]",
    "pushf",
    "ud2",
    "wrfsbase rax",
  ])("%s calls out", (source) => {
    const { unit } = translate(`${source}\nnop`);
    expect(unit.instructions[0]?.treatment).toBe("callout");
    expect(unit.bytes.subarray(0, 2)).toEqual(Uint8Array.of(0xcd, 0x60));
    expect(unit.places[0]).toMatchObject({ offset: 0, guestRip: kernel, isBoundary: true });
  });

  test("PUSHF and POPF call out while IOPL or NT is set", () => {
    expect(
      translate("pushfq\npopfq\nret", { iopl: true }).unit.instructions.slice(0, 2),
    ).toMatchObject([{ treatment: "callout" }, { treatment: "callout" }]);
  });

  test("a copied access that keeps trapping calls out", () => {
    const { unit } = translate("mov [rdi], rax\nret", { trapping: [kernel] });
    expect(unit.exits[0]).toMatchObject({ kind: "emulate", guestRip: kernel, mnemonic: "mov" });
  });
});

describe("places", () => {
  test("say which instruction of the guest is where, and what is spilled", () => {
    const { unit } = translate("inc rax\nswapgs\ninc rbx\nret");
    const starts = unit.instructions.map(({ offset, guestRip }) => ({ offset, guestRip }));
    for (const { offset, guestRip } of starts) {
      expect(unit.places).toContainEqual({ offset, guestRip, isBoundary: true, spilled: [] });
    }
    const inSwap = unit.places.find(({ spilled }) => spilled.length === 2);
    expect(inSwap).toMatchObject({ guestRip: kernel + 3n, isBoundary: false });
  });

  test("are in ascending order, also behind the unit's end", () => {
    const offsets = translate("popfq\nmov cr8, rdx\nret").unit.places.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
  });
});

describe("code that is none", () => {
  test("calls out when it comes first", () => {
    const { unit } = translate(Uint8Array.of(0x0f, 0xff, 0xff, 0x06));
    expect(unit.exits).toMatchObject([{ kind: "emulate", guestRip: kernel }]);
  });

  test("ends a unit otherwise", () => {
    const { unit } = translate(Uint8Array.of(0x90, 0x06));
    expect(unit.exits).toMatchObject([{ kind: "continuation", target: kernel + 1n }]);
  });

  test("is remembered as a source across pages", () => {
    const at = kernel + 0xffen;
    const { unit } = translate(assemble("mov eax, [rip+0x12345]\nret").bytes, { at });
    expect(unit.sources.map(({ lengthBytes }) => lengthBytes)).toEqual([2, 5]);
  });
});
