import { describe, expect, test } from "vitest";
import { assemble, encode } from "./assemble.ts";
import { AssemblyError } from "./argument.ts";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

describe("Assembler", () => {
  test.each([
    ["mov rax, [rbx+rcx*8+0x10]", "48 8b 44 cb 10"],
    ["mov rax, 1", "48 c7 c0 01 00 00 00"],
    ["mov rax, 0x123456789", "48 b8 89 67 45 23 01 00 00 00"],
    ["mov eax, [0x1000]", "8b 04 25 00 10 00 00"],
    ["mov al, [0x123456789abcdef0]", "a0 f0 de bc 9a 78 56 34 12"],
    ["mov al, fs:[0x28]", "64 8a 04 25 28 00 00 00"],
    ["mov [ebx], r9b", "67 44 88 0b"],
    ["mov ah, bl", "88 dc"],
    ["mov spl, bl", "40 88 dc"],
    ["add byte ptr [rbp], 1", "80 45 00 01"],
    ["add r13, -1", "49 83 c5 ff"],
    ["add eax, 0xffffffff", "83 c0 ff"],
    ["lea rdx, [rsp*1+rax]", "48 8d 14 04"],
    ["lock cmpxchg [r12], ecx", "f0 41 0f b1 0c 24"],
    ["rep stosq", "f3 48 ab"],
    ["fs lodsb", "64 ac"],
    ["push 5", "6a 05"],
    ["push 0x1234", "68 34 12 00 00"],
    ["o16 push 0x1234", "66 68 34 12"],
    ["xchg eax, eax", "87 c0"],
    ["jz $", "74 fe"],
    ["call [rip+0x10]", "ff 15 10 00 00 00"],
    ["ringside.mark 7", "0f 1f 84 00 07 00 49 52"],
  ])("encodes %s as %s", (text, bytes) => {
    expect(hex(assemble(text).bytes)).toBe(bytes);
  });

  test("encodes 16-bit addresses in 32-bit code", () => {
    const text = "mov ax, [bx+si+4]\nmov eax, [0x1000]\ninc ecx";
    expect(hex(assemble(text, { mode: 32 }).bytes)).toBe("67 66 8b 40 04 a1 00 10 00 00 41");
  });

  test("gives labels, constants and data their addresses", () => {
    const { bytes, symbols } = assemble(
      `
        count equ 3                ; a constant
        start: mov ecx, count
        .next: add eax, [rel table]
               loop .next
               ret
               align 4
        table: dd 1, table - start
               db "hi", 0
      `,
      { address: 0x1000n },
    );
    expect(hex(bytes)).toBe(
      "b9 03 00 00 00 03 05 05 00 00 00 e2 f8 c3 90 90 01 00 00 00 10 00 00 00 68 69 00",
    );
    expect(Object.fromEntries(symbols)).toEqual({
      start: 0x1000n,
      "start.next": 0x1005n,
      table: 0x1010n,
      count: 3n,
    });
  });

  test("grows branches until they reach, and no further", () => {
    const near = assemble("jmp end\nresb 127\nend:").bytes;
    const far = assemble("jmp end\nresb 128\nend:").bytes;
    expect([near.length, far.length]).toEqual([2 + 127, 5 + 128]);
    expect(hex(far.subarray(0, 5))).toBe("e9 80 00 00 00");
  });

  test("changes between code sizes within a text", () => {
    expect(hex(assemble("bits 32\ninc eax\nbits 64\ninc eax").bytes)).toBe("40 ff c0");
  });

  test("encodes instructions given as data", () => {
    const bytes = encode({
      mnemonic: "add",
      arguments: [
        { type: "memory", bits: 64, base: 4, displacement: 8n },
        { type: "number", value: 1n },
      ],
      lock: true,
    });
    expect(hex(bytes)).toBe("f0 48 83 44 24 08 01");
  });

  test.each([
    ["nop\nmov [rax], 1", "Line 2: The size of mov's memory operand is open."],
    ["frob eax", "Line 1: There is no instruction frob."],
    ["mov eax, rbx", "Line 1: No encoding of mov takes these operands in 64-bit code."],
    ["mov eax, 1 2", 'Line 1: Found "2" where "," or the end of the line was expected.'],
    ["jmp nowhere", "Line 1: nowhere is not defined."],
    ["a: nop\na: nop", "Line 2: a is defined twice."],
    ["a equ b\nb equ a\ndb a", "is defined by itself."],
    ["mov ah, r8b", "Line 1: No encoding of mov takes these operands"],
    ["db 256", "Line 1: 256 does not fit 1 bytes."],
    ["mov eax, [rax+rbx+rcx]", "at most a base and an index"],
    ["mov eax, [rax*3]", "a scale of 1, 2, 4 or 8"],
    ["lock add eax, 1", "Line 1: No encoding of add takes these operands"],
    ["mov eax, 0xfg", '"0xfg" is not a number.'],
    ["mov eax, ?", '"?" means nothing here.'],
    ["db 1/0", "Line 1: Division by zero."],
    [`db ${"(".repeat(10_000)}`, "nested more than 100 deep"],
    ["align 3", "Line 1: Align to a power of two, not 3."],
  ])("refuses %j", (text, message) => {
    expect(() => assemble(text)).toThrow(AssemblyError);
    expect(() => assemble(text)).toThrow(message);
  });
});
