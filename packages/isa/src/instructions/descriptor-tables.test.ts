import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import {
  ADDRESS,
  arrived,
  GDT_LIMIT,
  halted,
  KernelBench,
  SELECTOR,
  systemDescriptor,
} from "../testing/kernel-bench.ts";
import { slots } from "../state/layout.ts";

const UMIP = 0x800n;

// Intel SDM Vol. 2A, "LGDT/LIDT—Load Global/Interrupt Descriptor Table Register".
describe("LGDT and LIDT", () => {
  coversEncodings("lgdt", "lidt");

  test("load a limit and a 64-bit base", () => {
    const bench = new KernelBench();
    halted(
      bench.run(
        "lgdt [a]\nlidt [b]\nhlt\na: dw 0x1234\ndq 0xffff800012345678\nb: dw 0x7f\ndq 0x9000",
      ),
    );
    expect(bench.state.get(slots.gdtrLimit)).toBe(0x1234n);
    expect(bench.state.get(slots.gdtrBase)).toBe(0xffff_8000_1234_5678n);
    expect(bench.state.get(slots.idtrLimit)).toBe(0x7fn);
    expect(bench.state.get(slots.idtrBase)).toBe(0x9000n);
  });

  test("load a 32-bit base in 32-bit code", () => {
    const bench = new KernelBench();
    halted(bench.run("lgdt [a]\nlidt [a]\nhlt\na: dw 0x1234\ndq 0x9876543289abcdef", { mode: 32 }));
    expect(bench.state.get(slots.gdtrBase)).toBe(0x89ab_cdefn);
    expect(bench.state.get(slots.idtrBase)).toBe(0x89ab_cdefn);
  });

  test.each(["lgdt", "lidt"])(
    "%s raises #GP(0) outside CPL 0 and for a base that is not canonical",
    (name) => {
      const bench = new KernelBench();
      const table = "\na: dw 0xffff\ndq 0x800000000000";
      for (const cpl of [0, 1, 3] as const) {
        expect(arrived(bench.run(`${name} [a]${table}`, { cpl }))).toMatchObject({
          vector: 13,
          frame: { errorCode: 0 },
        });
      }
    },
  );
});

// Intel SDM Vol. 2B, "SGDT—Store Global Descriptor Table Register"; "SIDT—Store Interrupt Descriptor Table Register".
describe("SGDT and SIDT", () => {
  coversEncodings("sgdt", "sidt");

  test("store limit and base, at CPL 3 as well", () => {
    for (const cpl of [0, 3] as const) {
      const bench = new KernelBench();
      arrived(bench.run(`sgdt [${ADDRESS.data}]\nsidt [${ADDRESS.data + 16}]\nint 0x80`, { cpl }));
      const { physical } = bench.memory;
      expect(physical.readU16(ADDRESS.data)).toBe(GDT_LIMIT);
      expect(physical.readU64(ADDRESS.data + 2)).toBe(BigInt(ADDRESS.gdt));
      expect(physical.readU16(ADDRESS.data + 16)).toBe(0xfff);
      expect(physical.readU64(ADDRESS.data + 18)).toBe(BigInt(ADDRESS.idt));
    }
  });

  test("store six bytes in 32-bit code", () => {
    const bench = new KernelBench();
    bench.memory.physical.fill(ADDRESS.data, 0xee, 32);
    halted(bench.run(`sgdt [${ADDRESS.data}]\nsidt [${ADDRESS.data + 16}]\nhlt`, { mode: 32 }));
    expect(bench.memory.physical.readU64(ADDRESS.data)).toBe(0xeeee_0000_8000_00ffn);
    expect(bench.memory.physical.readU64(ADDRESS.data + 16)).toBe(0xeeee_0000_9000_0fffn);
  });

  test.each([
    `sgdt [${ADDRESS.data}]`,
    `sidt [${ADDRESS.data}]`,
    "sldt eax",
    "str eax",
    "smsw eax",
  ])("%s raises #GP(0) at CPL 3 under CR4.UMIP", (text) => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, `${text}\nint 0x80`);
    bench.enter({ cpl: 3 });
    bench.state.setControl("cr4", bench.state.cr4 | UMIP);
    expect(arrived(bench.go())).toMatchObject({ vector: 13, frame: { errorCode: 0 } });
  });
});

// Intel SDM Vol. 2A, "LLDT—Load Local Descriptor Table Register"; Vol. 2B, "SLDT—Store Local Descriptor Table Register".
describe("LLDT and SLDT", () => {
  coversEncodings("lldt", "sldt");

  test("load an LDT whose descriptors then can be loaded", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(ADDRESS.ldt + 8, 0x00cf_9200_0000_ffffn);
    halted(bench.run(`mov eax, ${SELECTOR.ldt}\nlldt ax\nmov ebx, 0xc\nmov ds, bx\nsldt rcx\nhlt`));
    expect(bench.state.segment("ldtr")).toMatchObject({
      base: BigInt(ADDRESS.ldt),
      limit: 0xff,
      selector: SELECTOR.ldt,
    });
    expect(bench.state.segment("ds").selector).toBe(0xc);
    expect(bench.state.rcx).toBe(BigInt(SELECTOR.ldt));
  });

  test("a null selector makes the LDT unusable", () => {
    const bench = new KernelBench();
    const { vector, frame } = arrived(bench.run("xor eax, eax\nlldt ax\nmov eax, 0xc\nmov ds, ax"));
    expect([vector, frame.errorCode]).toEqual([13, 0xc]);
  });

  test.each([
    ["a code segment", SELECTOR.code, 13, SELECTOR.code],
    ["a selector of the LDT", 0xc, 13, 0xc],
    ["a selector beyond the GDT", 0x1f8, 13, 0x1f8],
  ])("refuse %s", (_, selector, vector, errorCode) => {
    const bench = new KernelBench();
    const outcome = bench.run(`mov eax, ${selector}\nlldt ax`);
    expect(arrived(outcome)).toMatchObject({ vector, frame: { errorCode } });
  });

  test("raise #NP for an LDT that is not present, and #GP(0) outside CPL 0", () => {
    const bench = new KernelBench();
    bench.setDescriptor(SELECTOR.ldt, systemDescriptor(ADDRESS.ldt, 0xff, 0x02n));
    const text = `mov eax, ${SELECTOR.ldt}\nlldt ax`;
    expect(arrived(bench.run(text))).toMatchObject({
      vector: 11,
      frame: { errorCode: SELECTOR.ldt },
    });
    expect(arrived(bench.run(text, { cpl: 3 }))).toMatchObject({
      vector: 13,
      frame: { errorCode: 0 },
    });
  });

  test("SLDT writes 16 bits to memory and zero-extends in a register", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(ADDRESS.data, -1n & 0xffff_ffff_ffff_ffffn);
    const text = `mov rax, -1\nmov rbx, -1\nsldt ax\nsldt ebx\nsldt word ptr [${ADDRESS.data}]\nhlt`;
    halted(bench.run(`mov ecx, ${SELECTOR.ldt}\nlldt cx\n${text}`));
    expect(bench.state.rax).toBe(0xffff_ffff_ffff_0000n | BigInt(SELECTOR.ldt));
    expect(bench.state.rbx).toBe(BigInt(SELECTOR.ldt));
    expect(bench.memory.physical.readU64(ADDRESS.data)).toBe(
      0xffff_ffff_ffff_0000n | BigInt(SELECTOR.ldt),
    );
  });
});

// Intel SDM Vol. 2A, "LTR—Load Task Register"; Vol. 2B, "STR—Store Task Register".
describe("LTR and STR", () => {
  coversEncodings("ltr", "str");

  test("load a 64-bit TSS, mark it busy, and refuse it then", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(ADDRESS.gdt + SELECTOR.tss + 8, 0xffff_8000n);
    const text = `mov eax, ${SELECTOR.tss}\nltr ax\nstr rbx\nhlt\nltr ax`;
    halted(bench.run(text));
    expect(bench.state.segment("tr")).toMatchObject({
      base: 0xffff_8000_0000_0000n | BigInt(ADDRESS.tss),
      limit: 0x67,
      attributes: 0x8b,
    });
    expect(bench.state.rbx).toBe(BigInt(SELECTOR.tss));
    expect(bench.memory.physical.readU8(ADDRESS.gdt + SELECTOR.tss + 5)).toBe(0x8b);
    bench.wake();
    expect(arrived(bench.go())).toMatchObject({ vector: 13, frame: { errorCode: SELECTOR.tss } });
  });

  test.each([
    ["a null selector", 0, 13, 0],
    ["an LDT", SELECTOR.ldt, 13, SELECTOR.ldt],
  ])("refuse %s", (_, selector, vector, errorCode) => {
    const bench = new KernelBench();
    const outcome = bench.run(`mov eax, ${selector}\nltr ax`);
    expect(arrived(outcome)).toMatchObject({ vector, frame: { errorCode } });
  });

  test("raise #NP for a TSS that is not present, and #GP(0) outside CPL 0", () => {
    const bench = new KernelBench();
    bench.setDescriptor(SELECTOR.tss, systemDescriptor(ADDRESS.tss, 0x67, 0x09n));
    const text = `mov eax, ${SELECTOR.tss}\nltr ax`;
    expect(arrived(bench.run(text))).toMatchObject({
      vector: 11,
      frame: { errorCode: SELECTOR.tss },
    });
    expect(arrived(bench.run(text, { cpl: 1 }))).toMatchObject({
      vector: 13,
      frame: { errorCode: 0 },
    });
  });

  test("STR shows the selector at CPL 3", () => {
    const bench = new KernelBench();
    arrived(bench.run("str ax\nint 0x80", { cpl: 3 }));
    expect(bench.state.rax).toBe(BigInt(SELECTOR.tss));
  });
});
