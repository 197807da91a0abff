import { describe, expect, test } from "vitest";
import { opcodes, type Instruction } from "../dsl.ts";
import { instructions } from "../instructions/index.ts";
import { isDecodeFault, type CodeMode, type Decoded, type DecodeFault } from "./decoded.ts";
import { decoderFor } from "./decoder.ts";

const decoder = decoderFor(instructions);

function decode(hex: string, mode: CodeMode = 64): Decoded | DecodeFault {
  const bytes = Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16));
  return decoder.decode(bytes, 0, bytes.length, { mode });
}

function formOf(hex: string, mode: CodeMode = 64): string {
  const decoded = decode(hex, mode);
  return isDecodeFault(decoded) ? decoded.fault : decoded.form.name;
}

/** An instruction with the rows given and nothing else. */
function row(encodings: Instruction["encodings"]): Instruction {
  return { mnemonic: "test", reference: "no manual", encodings, semantics: () => undefined };
}

// Intel SDM Vol. 2A §2.1.1, "Instruction Prefixes" and §2.2.1, "REX Prefixes".
describe("Prefixes", () => {
  test("REX counts right before the opcode only", () => {
    expect(formOf("48 01 d8")).toContain("add r/m64, r64");
    expect(formOf("48 66 01 d8")).toContain("add r/m16, r16");
    expect(formOf("66 48 01 d8")).toContain("add r/m64, r64");
  });

  test("the last of F2 and F3 counts", () => {
    expect(formOf("f2 f3 0f 58 c1")).toContain("addss");
    expect(formOf("f3 f2 0f 58 c1")).toContain("addsd");
    expect(formOf("f2 f3 a6")).toBe("cmpsb [A6, repe]");
  });

  test("F2 and F3 go before 66 as mandatory prefixes, wherever they stand", () => {
    expect(formOf("66 f2 0f 58 c1")).toContain("addsd");
    expect(formOf("f3 66 0f 58 c1")).toContain("addss");
    expect(formOf("66 0f 58 c1")).toContain("addpd");
  });

  test("F2 and F3 mean nothing on instructions that do not know them", () => {
    expect(formOf("f3 01 d8")).toBe("add r/m32, r32 [o32 01 /r, register]");
    expect(formOf("f2 90")).toBe("nop [90]");
    expect(formOf("f3 0f bc c1")).toContain("bsf");
  });

  test("LOCK needs an instruction that takes it, with memory as its destination", () => {
    expect(formOf("f0 01 18")).toBe("add r/m32, r32 [o32 01 /r, memory]");
    expect(formOf("f0 01 d8")).toBe("UD");
    expect(formOf("f0 03 18")).toBe("UD");
    expect(formOf("f0 8b 18")).toBe("UD");
    expect(formOf("f0 0f b1 18")).toContain("cmpxchg");
  });

  test("66 does not shorten near branches of 64-bit code", () => {
    expect(decode("66 e8 00 00 00 00")).toMatchObject({ lengthBytes: 6 });
    expect(decode("66 e8 00 00", 32)).toMatchObject({ lengthBytes: 4 });
  });

  test("ES, CS, SS and DS overrides mean nothing in 64-bit code and do not undo FS", () => {
    expect(decode("64 2e 8b 03")).toMatchObject({ segmentOverride: 4, memory: { segment: 4 } });
    expect(decode("2e 8b 03")).toMatchObject({ segmentOverride: -1, memory: { segment: 3 } });
    expect(decode("2e 8b 03", 32)).toMatchObject({ segmentOverride: 1, memory: { segment: 1 } });
  });
});

describe("Operands", () => {
  test("REX turns AH to BH into SPL to DIL", () => {
    expect(decode("88 e0")).toMatchObject({ registers: [0, 16] });
    expect(decode("40 88 e0")).toMatchObject({ registers: [0, 4] });
  });

  test("immediates are extended as the row says", () => {
    expect(decode("48 83 c0 ff")).toMatchObject({ immediate: -1n });
    expect(decode("b0 ff")).toMatchObject({ immediate: 0xffn });
    expect(decode("48 b8 ff ff ff ff ff ff ff ff")).toMatchObject({
      immediate: 0xffff_ffff_ffff_ffffn,
    });
    expect(decode("c8 34 12 05")).toMatchObject({ immediate: 0x1234n, immediate2: 5 });
    expect(decode("ea 78 56 34 12 08 00", 32)).toMatchObject({
      immediate: 0x1234_5678n,
      immediate2: 8,
    });
  });

  test("addresses relative to RIP exist in 64-bit code only", () => {
    expect(decode("8b 05 f0 ff ff ff")).toMatchObject({ memory: { base: -2, displacement: -16n } });
    expect(decode("8b 05 f0 ff ff ff", 32)).toMatchObject({ memory: { base: -1 } });
  });

  test("RSP and RBP as base imply the stack segment, R12 and R13 and an index do not", () => {
    expect(decode("8b 04 24")).toMatchObject({ memory: { base: 4, segment: 2 } });
    expect(decode("8b 45 00")).toMatchObject({ memory: { base: 5, segment: 2 } });
    expect(decode("41 8b 04 24")).toMatchObject({ memory: { base: 12, segment: 3 } });
    expect(decode("8b 04 2b")).toMatchObject({ memory: { base: 3, index: 5, segment: 3 } });
  });

  test.each([
    ["CR1", "0f 20 c8"],
    ["CR9", "44 0f 20 c8"],
    ["DR8", "44 0f 21 c0"],
    ["segment register 6", "8c f0"],
    ["MOV to CS", "8e c8"],
  ])("%s does not exist", (_, hex) => {
    expect(formOf(hex)).toBe("UD");
  });
});

describe("Ends of the bytes", () => {
  test.each(["48", "0f", "8b", "8b 04", "8b 45", "8b 85 00 00", "83 c0", "48 b8 00", "66 66"])(
    "%s asks for more",
    (hex) => {
      expect(decode(hex)).toEqual({ fault: "more" });
    },
  );

  test("looks at no more bytes than it may", () => {
    const bytes = Uint8Array.of(0x90, 0x83, 0xc0, 0x01);
    expect(decoder.decode(bytes, 1, 2, { mode: 64 })).toEqual({ fault: "more" });
    expect(decoder.decode(bytes, 1, 3, { mode: 64 })).toMatchObject({ lengthBytes: 3 });
    expect(decoder.decode(bytes, 1, 100, { mode: 64 })).toMatchObject({ lengthBytes: 3 });
  });

  // Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference", interrupt 13.
  test("an instruction of more than 15 bytes is a general fault, of 15 bytes none", () => {
    const prefixes = (count: number): string => Array.from({ length: count }, () => "66").join(" ");
    expect(decode(`${prefixes(14)} 90`)).toMatchObject({ lengthBytes: 15 });
    expect(decode(`${prefixes(15)} 90`)).toEqual({ fault: "GP" });
    expect(decode(`${prefixes(11)} 81 c0 01 00 00`)).toMatchObject({ lengthBytes: 15 });
    expect(decode(`${prefixes(12)} 81 c0 01 00 00`)).toEqual({ fault: "GP" });
  });

  test("an opcode that does not exist needs no further bytes", () => {
    expect(decode("06")).toEqual({ fault: "UD" });
    expect(decode("0f 04")).toEqual({ fault: "UD" });
  });
});

describe("Tables", () => {
  test("leave out rows whose feature the processor lacks", () => {
    const plain = decoderFor(instructions, new Set(["fpu"]));
    expect(plain.decode(Uint8Array.of(0x0f, 0x58, 0xc1), 0, 3, { mode: 64 })).toEqual({
      fault: "UD",
    });
    expect(plain.decode(Uint8Array.of(0x01, 0xd8), 0, 2, { mode: 64 })).toMatchObject({
      lengthBytes: 2,
    });
  });

  test("give forms names of their own, and numbers in their order", () => {
    expect(new Set(decoder.forms.map(({ name }) => name)).size).toBe(decoder.forms.length);
    expect(decoder.forms.every(({ id }, index) => id === index)).toBe(true);
  });

  test("refuse two rows with one encoding", () => {
    const rows = opcodes`
      o32 01 /r | TEST r/m32, r32 | r r
      o32 01 /r | TEST r32, r/m32 | r r
    `;
    expect(() => decoderFor([row(rows)])).toThrow(
      'Two rows have the same encoding: "o32 01 /r | TEST r/m32, r32" and "o32 01 /r | TEST r32, r/m32".',
    );
  });

  test("let a special row stand beside a general one", () => {
    const rows = opcodes`
      0F 01 /7   | TEST m8   | r
      0F 01 F8   | TEST      | -
      NP 0F 02 /r | TEST xmm1, xmm2/m128 | r r
      66 0F 02 /r | TEST xmm1, xmm2/m64  | r r
    `;
    expect(decoderFor([row(rows)]).forms).toHaveLength(3 * (1 + 1 + 2 + 2));
  });

  test.each([
    [opcodes`XX /r | TEST r8 | r`, 'Unknown "XX" before the opcode'],
    [opcodes`01 /9 | TEST r8 | r`, 'Unknown "/9"'],
    [opcodes`01 /r | TEST r9000 | r`, 'Unknown operand "r9000"'],
    [opcodes`01 /r | TEST r/m8, r8 | r`, "2 operands with 1 accesses"],
    [opcodes`01 ib | TEST imm16 | r`, '"ib" does not fit operand "imm16"'],
    [opcodes`01 | TEST imm8 | r`, 'No bytes for operand "imm8"'],
    [opcodes`01 ib | TEST | -`, 'No operand for "ib"'],
    [opcodes`01 | TEST r8 | r`, 'No place for operand "r8"'],
    [opcodes`51+rd | TEST r32 | r`, "Opcode 51+rd has no room for a register"],
    [opcodes`01 /r | TEST r/m8, m8 | r r`, "Two operands in rm"],
  ])("refuse a malformed row and quote it", (rows, problem) => {
    expect(() => decoderFor([row(rows)])).toThrow(SyntaxError);
    expect(() => decoderFor([row(rows)])).toThrow(problem);
    expect(() => decoderFor([row(rows)])).toThrow(`"${rows[0]?.opcode} | ${rows[0]?.instruction}"`);
  });
});
