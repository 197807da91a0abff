import { describe, expect, test } from "vitest";
import { slots } from "../state/layout.ts";
import { ADDRESS, KernelBench, SELECTOR, type Outcome } from "../testing/kernel-bench.ts";

const DIRECTORY = 0x30_0000;
const TABLE = 0x30_1000;
const IDT = 0x1_4000;
const HANDLER = 0x1_6000;
/** The linear page that tests map by an entry of their own; it is above the identity-mapped memory. */
const PAGE = 0x4000_0000;
const FRAME = 0x20_0000;

/** Runs 32-bit code with paging as prepared; `cr4` decides between 32-bit paging, PSE and PAE. */
function run(
  text: string,
  cr4: bigint,
  prepare: (bench: KernelBench) => void,
): KernelBench & { outcome: Outcome } {
  const bench = new KernelBench();
  const { state } = bench;
  const { physical } = bench.memory;
  bench.load(ADDRESS.code, text, 32);
  bench.load(HANDLER, "hlt", 32);
  for (let vector = 0; vector < 32; vector += 1) {
    const gate =
      BigInt(HANDLER & 0xffff) |
      (BigInt(SELECTOR.code32) << 16n) |
      (0x8en << 40n) |
      (BigInt(HANDLER >> 16) << 48n);
    physical.writeU64(IDT + vector * 8, gate);
  }
  prepare(bench);
  state.enterProtectedMode32({ rip: ADDRESS.code });
  state.rsp = BigInt(ADDRESS.kernelStack);
  state.set(slots.gdtrBase, BigInt(ADDRESS.gdt));
  state.set(slots.gdtrLimit, 0xffn);
  state.set(slots.idtrBase, BigInt(IDT));
  state.set(slots.idtrLimit, 0xffn);
  state.setControl("cr3", BigInt(DIRECTORY));
  state.setControl("cr4", cr4);
  if (cr4 === 0x20n) state.setControl("efer", 0x800n);
  state.setControl("cr0", state.cr0 | 0x8001_0000n);
  return Object.assign(bench, { outcome: bench.go() });
}

function faultCode(bench: KernelBench & { outcome: Outcome }): number {
  expect(bench.outcome).toMatchObject({ kind: "halted", rip: BigInt(HANDLER) });
  return bench.memory.physical.readU32(Number(bench.state.rsp));
}

// Intel SDM Vol. 3A §4.3, "32-Bit Paging".
describe("32-bit paging", () => {
  const map =
    (pte: number, pde: number = TABLE | 7) =>
    (bench: KernelBench) => {
      const { physical } = bench.memory;
      // The first 4 MiB to themselves, by a table.
      for (let page = 0; page < 1024; page += 1)
        physical.writeU32(0x30_2000 + page * 4, (page * 0x1000) | 7);
      physical.writeU32(DIRECTORY, 0x30_2000 | 7);
      physical.writeU32(DIRECTORY + (PAGE >>> 22) * 4, pde);
      physical.writeU32(TABLE, pte);
      physical.writeU32(TABLE + 4, 0xffff_ff00);
      physical.writeU32(FRAME, 0x1234_5678);
    };

  test("translates by two levels, and sets A and D in 4-byte entries without touching their neighbours", () => {
    const bench = run(
      `mov eax, [${PAGE}]\nmov dword ptr [${PAGE + 4}], 7\nhlt`,
      0n,
      map(FRAME | 7),
    );
    expect(bench.state.rax).toBe(0x1234_5678n);
    const { physical } = bench.memory;
    expect(physical.readU32(FRAME + 4)).toBe(7);
    expect([physical.readU32(TABLE), physical.readU32(TABLE + 4)]).toEqual([
      FRAME | 0x67,
      0xffff_ff00,
    ]);
    expect(physical.readU32(DIRECTORY + (PAGE >>> 22) * 4)).toBe(TABLE | 0x27);
  });

  test("maps 4-MByte pages under CR4.PSE, with bits 39:32 in the entry", () => {
    const large = run(`mov eax, [${PAGE + FRAME}]\nhlt`, 0x10n, map(0, 0x87));
    expect(large.state.rax).toBe(0x1234_5678n);
    expect(large.memory.physical.readU32(DIRECTORY + (PAGE >>> 22) * 4)).toBe(0xa7);
    // Above 4 GBytes there is nothing here, which reads as all ones.
    const far = run(`mov eax, [${PAGE}]\nhlt`, 0x10n, map(0, 0x2087));
    expect(far.state.rax).toBe(0xffff_ffffn);
    expect(faultCode(run(`mov eax, [${PAGE}]`, 0x10n, map(0, 0x20_0087)))).toBe(9);
  });

  test("raises #PF for what is not present, and for a write to a read-only page under CR0.WP", () => {
    expect(faultCode(run(`mov eax, [${PAGE}]`, 0n, map(0)))).toBe(0);
    expect(faultCode(run(`mov eax, [${PAGE}]`, 0n, map(FRAME | 7, 0)))).toBe(0);
    expect(faultCode(run(`mov [${PAGE}], eax`, 0n, map(FRAME | 5)))).toBe(3);
    expect(faultCode(run(`mov [${PAGE}], eax`, 0n, map(FRAME | 7, TABLE | 5)))).toBe(3);
  });
});

// Intel SDM Vol. 3A §4.4, "PAE Paging".
describe("PAE paging", () => {
  const map =
    (pte: bigint, pde: bigint = BigInt(TABLE) | 7n, pdpte = 0x30_3001n) =>
    (bench: KernelBench) => {
      const { physical } = bench.memory;
      physical.writeU64(DIRECTORY, 0x30_2001n);
      physical.writeU64(DIRECTORY + 8, pdpte);
      physical.writeU64(0x30_2000, 0x87n);
      physical.writeU64(0x30_2008, 0x20_0087n);
      physical.writeU64(0x30_3000, pde);
      physical.writeU64(TABLE, pte);
      physical.writeU32(FRAME, 0x1234_5678);
    };

  test("translates by three levels of 8-byte entries, and sets A and D", () => {
    const bench = run(
      `mov eax, [${PAGE}]\nmov [${PAGE + 4}], eax\nhlt`,
      0x20n,
      map(BigInt(FRAME) | 7n),
    );
    expect(bench.state.rax).toBe(0x1234_5678n);
    const { physical } = bench.memory;
    expect(physical.readU64(TABLE)).toBe(BigInt(FRAME) | 0x67n);
    expect(physical.readU64(0x30_3000)).toBe(BigInt(TABLE) | 0x27n);
    expect(physical.readU64(DIRECTORY + 8)).toBe(0x30_3001n);
  });

  test("maps 2-MByte pages", () => {
    const bench = run(`mov eax, [${PAGE}]\nhlt`, 0x20n, map(0n, BigInt(FRAME) | 0x87n));
    expect(bench.state.rax).toBe(0x1234_5678n);
  });

  test.each([
    ["an absent page", 0n, undefined, undefined, 0],
    ["an absent PDPTE", 7n, undefined, 0n, 0],
    ["a reserved bit of the PDPTE", 7n, undefined, 0x30_3003n, 9],
    ["a reserved bit of the PTE", (1n << 62n) | 7n, undefined, undefined, 9],
    ["an address above MAXPHYADDR", (1n << 40n) | 7n, undefined, undefined, 9],
    ["a misaligned 2-MByte page", 7n, 0x2087n, undefined, 9],
  ] as const)("raises #PF for %s", (_, pte, pde, pdpte, code) => {
    expect(faultCode(run(`mov eax, [${PAGE}]`, 0x20n, map(pte, pde, pdpte)))).toBe(code);
  });

  test("honours XD for fetches", () => {
    const bench = run(
      `jmp ${SELECTOR.code32}:${PAGE}`,
      0x20n,
      map((1n << 63n) | BigInt(FRAME) | 7n),
    );
    expect(faultCode(bench)).toBe(0x11);
  });
});
