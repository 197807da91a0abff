import { describe, expect, test } from "vitest";
import { assemble } from "../assembler/assemble.ts";
import { disassemble } from "./disassemble.ts";

function lines(bytes: readonly number[], mode: 32 | 64 = 64, address = 0n): string[] {
  return [...disassemble(Uint8Array.from(bytes), { mode, address })].map(({ text }) => text);
}

describe("Disassembler", () => {
  test("writes operands, sizes and addresses in Intel syntax", () => {
    expect(lines([0x48, 0x8b, 0x44, 0xcb, 0xf0])).toEqual(["mov rax, qword ptr [rbx+rcx*8-0x10]"]);
    expect(lines([0x64, 0x8a, 0x04, 0x25, 0x28, 0, 0, 0])).toEqual(["mov al, byte ptr fs:[0x28]"]);
    expect(lines([0xf0, 0x0f, 0xb1, 0x0f])).toEqual(["lock cmpxchg dword ptr [rdi], ecx"]);
    expect(lines([0xf3, 0xa6])).toEqual(["repe cmpsb"]);
    expect(lines([0x66, 0xc9, 0xc9])).toEqual(["o16 leave", "leave"]);
  });

  test("names the addresses of branches and RIP-relative operands", () => {
    expect(lines([0x75, 0xfe], 64, 0x1000n)).toEqual(["jne 0x1000"]);
    expect(lines([0x8b, 0x05, 0xfa, 0xff, 0xff, 0xff], 64, 0x1000n)).toEqual([
      "mov eax, dword ptr [rel 0x1000]",
    ]);
  });

  test("shows bytes that begin no instruction, and a truncated end, as data", () => {
    expect(lines([0x06, 0x90, 0x48, 0x8b])).toEqual(["db 0x06", "nop", "db 0x48", "db 0x8b"]);
  });

  test("decodes by the mode of the code", () => {
    expect(lines([0x40, 0x90], 32)).toEqual(["inc eax", "nop"]);
    expect(lines([0x40, 0x90], 64)).toEqual(["nop"]);
  });

  test("covers every byte once, so that the text assembles to the same code", () => {
    const { bytes } = assemble("a: mov ecx, 10\nb: add rax, [rsi+rcx*4]\nloop b\njmp a\ndb 6");
    const text = [...disassemble(bytes)].map((line) => line.text).join("\n");
    expect(assemble(text).bytes).toEqual(bytes);
  });
});
