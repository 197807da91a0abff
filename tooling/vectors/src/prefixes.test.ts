import { decode, isDecodeFault } from "@ringside/isa";
import { initialRegisters, Random, type VectorInput } from "@ringside/isa/testing";
import { expect, test } from "vitest";
import { withIdlePrefixes, withOddPrefix } from "./prefixes.ts";

/** ADD word ptr [rbx], 0x7f with LOCK: three prefixes of which one counts for the form. */
const CODE = Uint8Array.of(0xf0, 0x66, 0x49, 0x83, 0x03, 0x7f);
const input: VectorInput = { mode: 64, code: CODE, registers: initialRegisters(64), memory: [] };
const plain = decode(CODE, 0, { mode: 64 });

test("Idle prefixes change nothing but the length, until they make an instruction too long", () => {
  const lengths = new Set<number>();
  for (let seed = 0; seed < 200; seed += 1) {
    const { code } = withIdlePrefixes(input, new Random(seed));
    lengths.add(code.length);
    const decoded = decode(code, 0, { mode: 64 });
    expect(decoded).toEqual(
      code.length > 15 ? { fault: "GP" } : { ...plain, lengthBytes: code.length },
    );
  }
  expect(isDecodeFault(plain)).toBe(false);
  expect([...lengths].toSorted((a, b) => a - b)).toEqual([7, 8, 9, 16]);
});

test("32-bit code gets none, since each of them means something there", () => {
  const narrow: VectorInput = { ...input, mode: 32 };
  expect(withIdlePrefixes(narrow, new Random(1))).toBe(narrow);
});

test("An odd prefix leaves an instruction the same, or makes it none", () => {
  const register: VectorInput = { ...input, code: Uint8Array.of(0x48, 0x01, 0xd8) };
  const form = (code: Uint8Array): string => {
    const decoded = decode(code, 0, { mode: 64 });
    return isDecodeFault(decoded) ? decoded.fault : decoded.form.encoding.instruction;
  };
  const seen = new Map<number, string>();
  for (let seed = 0; seed < 50; seed += 1) {
    const { code } = withOddPrefix(register, new Random(seed));
    seen.set(code[0] ?? 0, form(code));
  }
  expect(Object.fromEntries(seen)).toEqual({
    [0xf0]: "UD",
    [0xf2]: "ADD r/m64, r64",
    [0xf3]: "ADD r/m64, r64",
  });
});
