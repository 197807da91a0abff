import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, halted, KernelBench, SELECTOR } from "../testing/kernel-bench.ts";

// Intel SDM Vol. 2B, "MOV—Move" (operation); Vol. 3A §5.6, "Privilege Level Checking When Accessing Data Segments".
describe("MOV to a segment register", () => {
  coversEncodings("mov | o16 8E /r", "mov | o32 8E /r", "mov | REX.W 8E /r");

  test("loads selector, base, limit and attributes, and marks the descriptor accessed", () => {
    const bench = new KernelBench();
    bench.setDescriptor(SELECTOR.readOnlyData, 0x1240_9234_5678_9abcn);
    halted(
      bench.run(`mov eax, ${SELECTOR.readOnlyData}\nmov fs, eax\nmov gs, rax\nmov es, ax\nhlt`),
    );
    const loaded = {
      selector: SELECTOR.readOnlyData,
      base: 0x1234_5678n,
      limit: 0x9abc,
      attributes: 0x4093,
    };
    expect(bench.state.segment("fs")).toEqual(loaded);
    expect(bench.state.segment("gs")).toEqual(loaded);
    expect(bench.state.segment("es")).toEqual(loaded);
    expect(bench.memory.physical.readU8(ADDRESS.gdt + SELECTOR.readOnlyData + 5)).toBe(0x93);
  });

  test("with a null selector makes the register unusable and clears the base of FS", () => {
    const bench = new KernelBench();
    halted(
      bench.run(
        "mov ecx, 0xc0000100\nmov eax, 0x1000\nxor edx, edx\nwrmsr\nxor eax, eax\nmov fs, ax\nmov ds, ax\nhlt",
      ),
    );
    expect(bench.state.segment("fs")).toMatchObject({
      selector: 0,
      base: 0n,
      attributes: 0x1_0000,
    });
    expect(bench.state.segment("ds")).toMatchObject({ selector: 0, attributes: 0x1_0000 });
  });

  test.each([
    ["DS", "beyond the GDT", 0x1f8, 0, 13, 0x1f8],
    ["DS", "that cannot be read", SELECTOR.executeOnly, 0, 13, SELECTOR.executeOnly],
    ["DS", "that is not present", SELECTOR.absentData, 0, 11, SELECTOR.absentData],
    ["DS", "that is a system segment", SELECTOR.tss, 0, 13, SELECTOR.tss],
    ["DS", "of the kernel at CPL 3", SELECTOR.data, 3, 13, SELECTOR.data],
    ["DS", "with an RPL above its DPL", SELECTOR.data | 3, 0, 13, SELECTOR.data],
    ["SS", "that is null at CPL 3", 3, 3, 13, 0],
    ["SS", "that cannot be written", SELECTOR.readOnlyData, 0, 13, SELECTOR.readOnlyData],
    ["SS", "whose RPL is not CPL", SELECTOR.data | 3, 0, 13, SELECTOR.data],
    ["SS", "whose DPL is not CPL", SELECTOR.userData, 0, 13, SELECTOR.userData],
    ["SS", "that is not present", SELECTOR.absentData, 0, 12, SELECTOR.absentData],
  ] as const)("refuses for %s a segment %s", (register, _, selector, cpl, vector, errorCode) => {
    const bench = new KernelBench();
    const outcome = bench.run(`mov eax, ${selector}\nmov ${register}, ax`, { cpl });
    expect(arrived(outcome)).toMatchObject({ vector, frame: { errorCode } });
  });

  test("lets conforming code be read from any level, and a null SS at CPL 0", () => {
    const bench = new KernelBench();
    arrived(bench.run(`mov eax, ${SELECTOR.conforming}\nmov ds, ax\nint 0x80`, { cpl: 3 }));
    expect(bench.state.segment("ds").selector).toBe(SELECTOR.conforming);
    halted(bench.run("xor eax, eax\nmov ss, ax\npush rax\nhlt"));
    expect(bench.state.segment("ss").selector).toBe(0);
  });

  test("changes the base that 32-bit code addresses with", () => {
    const bench = new KernelBench();
    bench.setDescriptor(SELECTOR.readOnlyData, 0x00cf_9208_0000_ffffn);
    bench.memory.physical.writeU32(ADDRESS.data + 4, 0x1234_5678);
    halted(
      bench.run(`mov eax, ${SELECTOR.readOnlyData}\nmov ds, ax\nmov ebx, [4]\nhlt`, { mode: 32 }),
    );
    expect(bench.state.rbx).toBe(0x1234_5678n);
  });
});

describe("MOV from a segment register", () => {
  coversEncodings("mov | o16 8C /r", "mov | o32 8C /r", "mov | REX.W 8C /r");

  test("shows the real CPL in CS, zero-extended to 32 or 64 bits, and 16 bits in memory", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(ADDRESS.data, 0xffff_ffffn);
    const text = `mov rax, -1\nmov rbx, rax\nmov rcx, rax\nmov ax, cs\nmov ebx, cs\nmov rcx, ss\nmov word ptr [${ADDRESS.data}], ds\nint 0x80`;
    arrived(bench.run(text, { cpl: 3 }));
    expect(bench.state.rax).toBe(0xffff_ffff_ffff_0033n);
    expect(bench.state.rbx).toBe(0x33n);
    expect(bench.state.rcx).toBe(0x2bn);
    expect(bench.memory.physical.readU32(ADDRESS.data)).toBe(0xffff_002b);
  });
});

// Intel SDM Vol. 2B, "PUSH—Push Word, Doubleword, or Quadword Onto the Stack"; "POP—Pop a Value From the Stack".
describe("PUSH and POP of a segment register", () => {
  coversEncodings("push | o16 0F A0", "push | o64 0F A0", "push | o16 0F A8", "push | o64 0F A8");
  coversEncodings("pop | o16 0F A1", "pop | o64 0F A1", "pop | o16 0F A9", "pop | o64 0F A9");
  coversEncodings("push | o32 0F A0", "push | o32 0F A8", "pop | o32 0F A1", "pop | o32 0F A9");
  coversEncodings(
    "push | o16 0E",
    "push | o16 16",
    "push | o16 1E",
    "push | o16 06",
    "pop | o16 1F",
    "pop | o16 07",
    "pop | o16 17",
  );
  coversEncodings(
    "push | o32 0E",
    "push | o32 16",
    "push | o32 1E",
    "push | o32 06",
    "pop | o32 1F",
    "pop | o32 07",
    "pop | o32 17",
  );

  test("move 8 bytes in 64-bit code, or 2 with an operand-size prefix", () => {
    const bench = new KernelBench();
    const text = `push ${SELECTOR.userData}\npop fs\npush fs\npop rax\nmov rbx, rsp\no16 push fs\no16 pop gs\nmov ecx, gs\nsub rbx, rsp\npush gs\npop gs\nhlt`;
    halted(bench.run(text));
    expect([bench.state.rax, bench.state.rbx, bench.state.rcx]).toEqual([0x28n, 0n, 0x28n]);
  });

  test("move 4 bytes in 32-bit code, for all six registers", () => {
    const bench = new KernelBench();
    const text = `
      push cs
      pop eax
      push ss
      pop ss
      push ds
      pop es
      push es
      pop ds
      push fs
      pop gs
      push gs
      pop fs
      o16 push cs
      o16 pop es
      o16 push es
      o16 pop ds
      o16 push ss
      o16 pop ss
      o16 push ds
      o16 push fs
      o16 push gs
      pop bx
      o16 pop fs
      o16 pop gs
      hlt
    `;
    halted(bench.run(text, { mode: 32 }));
    expect(bench.state.rax).toBe(BigInt(SELECTOR.code32));
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
    expect(bench.state.segment("es").selector).toBe(SELECTOR.code32);
    expect(bench.state.segment("ds").selector).toBe(SELECTOR.code32);
    expect(bench.state.segment("ss").selector).toBe(SELECTOR.data);
    expect(bench.state.segment("gs").selector).toBe(SELECTOR.code32);
  });

  test("POP leaves RSP alone when the load faults", () => {
    const bench = new KernelBench();
    const { frame } = arrived(bench.run("push 0x1f8\npop fs"));
    expect(frame).toMatchObject({ errorCode: 0x1f8, rsp: BigInt(ADDRESS.kernelStack - 0x1008) });
  });
});

// Intel SDM Vol. 2A, "LDS/LES/LFS/LGS/LSS—Load Far Pointer".
describe("Far-pointer loads", () => {
  coversEncodings("lss", "lfs", "lgs", "lds", "les");

  test("LSS, LFS and LGS load an offset of 16, 32 or 64 bits and a selector", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(ADDRESS.data, 0x1111_2222_3333_4444n);
    bench.memory.physical.writeU16(ADDRESS.data + 8, SELECTOR.data);
    bench.memory.physical.writeU16(ADDRESS.data + 4, SELECTOR.userData);
    bench.memory.physical.writeU16(ADDRESS.data + 2, SELECTOR.conforming);
    const at = `ptr [${ADDRESS.data}]`;
    const text = `mov rbx, -1\nlss rax, far tbyte ${at}\nlfs ebx, far fword ${at}\nmov rcx, -1\nlgs cx, far dword ${at}\nhlt`;
    halted(bench.run(text));
    expect(bench.state.rax).toBe(0x1111_0028_0048_4444n);
    expect(bench.state.rbx).toBe(0x48_4444n);
    expect(bench.state.rcx).toBe(0xffff_ffff_ffff_4444n);
    expect(["ss", "fs", "gs"].map((name) => bench.state.segment(name as "ss").selector)).toEqual([
      SELECTOR.data,
      SELECTOR.userData,
      SELECTOR.conforming,
    ]);
  });

  test("LDS and LES exist in 32-bit code", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU32(ADDRESS.data, 0x3333_4444);
    bench.memory.physical.writeU16(ADDRESS.data + 4, SELECTOR.userData);
    bench.memory.physical.writeU32(ADDRESS.data + 8, (SELECTOR.data << 16) | 0x5555);
    halted(
      bench.run(
        `les eax, far fword ptr [${ADDRESS.data}]\nles bx, far dword ptr [${ADDRESS.data + 8}]\nlds ecx, far fword ptr [${ADDRESS.data}]\nlds dx, far dword ptr [${ADDRESS.data + 8}]\nhlt`,
        { mode: 32 },
      ),
    );
    expect([bench.state.rax, bench.state.rcx]).toEqual([0x3333_4444n, 0x3333_4444n]);
    expect([bench.state.rbx & 0xffffn, bench.state.rdx & 0xffffn]).toEqual([0x5555n, 0x5555n]);
    expect(bench.state.segment("ds").selector).toBe(SELECTOR.data);
  });

  test("write no register when the selector is refused", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU16(ADDRESS.data + 4, 0x1f8);
    expect(
      arrived(bench.run(`mov eax, 7\nlfs eax, far fword ptr [${ADDRESS.data}]`)).frame.errorCode,
    ).toBe(0x1f8);
    expect(bench.state.rax).toBe(7n);
  });
});
