import { describe, expect, test } from "vitest";
import { ADDRESS, arrived, halted, KernelBench, PTE } from "../testing/kernel-bench.ts";

const PAGE = ADDRESS.pages + 0x5000;
const OTHER = ADDRESS.pages + 0x9000;
const WP = 0x1_0000n;

/** Code that reads, writes or executes the page; it ends with `int 0x80`, which both rings may use. */
const ACCESS = {
  read: `mov rax, [${PAGE}]\nint 0x80`,
  write: `mov qword ptr [${PAGE}], 1\nint 0x80`,
  execute: `mov rax, ${PAGE}\njmp rax`,
} as const;

interface Case {
  readonly cpl: 0 | 3;
  readonly access: keyof typeof ACCESS;
  readonly user: boolean;
  readonly writable: boolean;
  readonly noExecute: boolean;
  readonly writeProtect: boolean;
}

function cases(): Case[] {
  const all: Case[] = [];
  for (const cpl of [0, 3] as const) {
    for (const access of ["read", "write", "execute"] as const) {
      for (let bits = 0; bits < 16; bits += 1) {
        const has = (bit: number): boolean => (bits & (1 << bit)) !== 0;
        all.push({
          cpl,
          access,
          user: has(0),
          writable: has(1),
          noExecute: has(2),
          writeProtect: has(3),
        });
      }
    }
  }
  return all;
}

/** The table of Intel SDM Vol. 3A §4.6.1, "Determination of Access Rights", written out. */
function isAllowed({ cpl, access, user, writable, noExecute, writeProtect }: Case): boolean {
  if (cpl === 3 && !user) return false;
  if (access === "execute") return !noExecute;
  if (access === "read") return true;
  return writable || (cpl === 0 && !writeProtect);
}

function errorCode({ cpl, access }: Case): number {
  const kind = access === "write" ? 2 : access === "execute" ? 16 : 0;
  return 1 | kind | (cpl === 3 ? 4 : 0);
}

function prepare(text: string, cpl: 0 | 3, flags: bigint): KernelBench {
  const bench = new KernelBench();
  // INT 0x80, for accesses that execute the page.
  bench.memory.physical.writeU16(PAGE, 0x80cd);
  bench.load(ADDRESS.code, text);
  bench.enter({ cpl });
  bench.setPage(PAGE, flags);
  return bench;
}

describe("Page permissions", () => {
  test("follow U/S, R/W, XD, CPL and CR0.WP in all 96 combinations", () => {
    for (const each of cases()) {
      const flags =
        PTE.P |
        (each.user ? PTE.U : 0n) |
        (each.writable ? PTE.W : 0n) |
        (each.noExecute ? PTE.XD : 0n);
      const bench = prepare(ACCESS[each.access], each.cpl, flags);
      if (!each.writeProtect) bench.state.setControl("cr0", bench.state.cr0 & ~WP);
      const { vector, frame } = arrived(bench.go());
      const expected = isAllowed(each)
        ? { vector: 0x80, errorCode: undefined }
        : { vector: 14, errorCode: errorCode(each) };
      expect({ ...each, vector, errorCode: frame.errorCode }).toEqual({ ...each, ...expected });
      expect(bench.state.cr2).toBe(vector === 14 ? BigInt(PAGE) : 0n);
    }
  });

  test.each([
    ["read", 0, 0],
    ["read", 3, 4],
    ["write", 3, 6],
    ["execute", 0, 16],
    ["execute", 3, 20],
  ] as const)(
    "report a %s at CPL %i of a page that is not present with error code %i",
    (access, cpl, code) => {
      const bench = prepare(ACCESS[access], cpl, 0n);
      expect(arrived(bench.go())).toMatchObject({ vector: 14, frame: { errorCode: code } });
    },
  );

  test("are those of every level: an upper entry takes a right away", () => {
    const bench = prepare(ACCESS.write, 3, PTE.P | PTE.W | PTE.U);
    bench.memory.physical.writeU64(
      ADDRESS.directory + 16,
      BigInt(ADDRESS.pageTable) | PTE.P | PTE.U,
    );
    expect(arrived(bench.go())).toMatchObject({ vector: 14, frame: { errorCode: 7 } });
  });

  // Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions" (RSVD flag).
  test.each([
    ["an address above MAXPHYADDR", PTE.P | (1n << 40n), 0],
    ["XD while EFER.NXE is 0", PTE.P | PTE.XD, 0x800],
  ])("report %s as a reserved bit", (_, flags, clearedEfer) => {
    const bench = prepare(ACCESS.read, 0, flags | PTE.W | PTE.U);
    bench.state.setControl("efer", bench.state.efer & ~BigInt(clearedEfer));
    expect(arrived(bench.go())).toMatchObject({ vector: 14, frame: { errorCode: 9 } });
  });

  test("report PS in a PML4E and a misaligned 2-MByte page as reserved bits", () => {
    for (const [table, entry] of [
      [ADDRESS.pml4 + 8, BigInt(ADDRESS.pdpt) | PTE.P | PTE.PS],
      [ADDRESS.directory + 32, 0x2000n | PTE.P | PTE.PS],
    ] as const) {
      const bench = new KernelBench();
      const linear = table === ADDRESS.pml4 + 8 ? "0x8000000000" : "0x800000";
      bench.load(ADDRESS.code, `mov rbx, ${linear}\nmov rax, [rbx]\nhlt`);
      bench.enter();
      bench.memory.physical.writeU64(table, entry);
      expect(arrived(bench.go())).toMatchObject({ vector: 14, frame: { errorCode: 9 } });
    }
  });

  test("let the supervisor read tables for a user access", () => {
    // The GDT's page is the supervisor's; loading a segment at CPL 3 reads it all the same.
    const bench = prepare("mov eax, 0x2b\nmov ds, ax\nint 0x80", 3, 0n);
    const gdt = ADDRESS.pages + 0x1_0000;
    bench.memory.physical.copy(ADDRESS.gdt, gdt, 0x100);
    bench.setPage(gdt, PTE.P | PTE.W);
    bench.moveGdt(gdt);
    expect(arrived(bench.go()).vector).toBe(0x80);
    expect(bench.state.segment("ds").selector).toBe(0x2b);
  });
});

// Intel SDM Vol. 3A §4.8, "Accessed and Dirty Flags".
describe("Accessed and dirty flags", () => {
  test("a read sets A, and the first write after it sets D", () => {
    const bench = prepare(`mov rax, [${PAGE}]\nhlt\nmov [${PAGE}], rax\nhlt`, 0, PTE.P | PTE.W);
    halted(bench.go());
    expect(bench.page(PAGE) & (PTE.A | PTE.D)).toBe(PTE.A);
    bench.wake();
    halted(bench.go());
    expect(bench.page(PAGE) & (PTE.A | PTE.D)).toBe(PTE.A | PTE.D);
  });

  test("a denied access sets neither in the leaf", () => {
    const bench = prepare(ACCESS.write, 3, PTE.P | PTE.U);
    arrived(bench.go());
    expect(bench.page(PAGE) & (PTE.A | PTE.D)).toBe(0n);
  });

  test("upper entries get A and never D, and a large page gets both itself", () => {
    const bench = new KernelBench();
    halted(bench.run("mov qword ptr [0x280000], 1\nhlt"));
    const { physical } = bench.memory;
    const flags = (at: number): bigint => physical.readU64(at) & (PTE.A | PTE.D);
    expect([flags(ADDRESS.pml4), flags(ADDRESS.pdpt), flags(ADDRESS.directory + 8)]).toEqual([
      PTE.A,
      PTE.A,
      PTE.A | PTE.D,
    ]);
  });

  test("the first write after software clears D and invalidates sets it again", () => {
    const bench = prepare(
      `mov [${PAGE}], rax\nhlt\ninvlpg [${PAGE}]\nmov [${PAGE}], rax\nhlt`,
      0,
      PTE.P | PTE.W,
    );
    halted(bench.go());
    bench.memory.physical.writeU64(ADDRESS.pageTable + 5 * 8, BigInt(PAGE) | PTE.P | PTE.W);
    bench.wake();
    halted(bench.go());
    expect(bench.page(PAGE) & PTE.D).toBe(PTE.D);
  });
});

// Intel SDM Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches".
describe("The TLB", () => {
  const remap = (text: string, flags: bigint, options: { cr4?: bigint } = {}): bigint => {
    const bench = prepare(
      `mov rax, [${PAGE}]\nhlt\n${text}\nmov rbx, [${PAGE}]\nhlt`,
      0,
      PTE.P | PTE.W | flags,
    );
    if (options.cr4 !== undefined) bench.state.setControl("cr4", bench.state.cr4 | options.cr4);
    bench.memory.physical.writeU64(PAGE, 1n);
    bench.memory.physical.writeU64(OTHER, 2n);
    halted(bench.go());
    bench.memory.physical.writeU64(ADDRESS.pageTable + 5 * 8, BigInt(OTHER) | PTE.P | PTE.W);
    bench.wake();
    halted(bench.go());
    return bench.state.rbx;
  };

  test("keeps a translation until it is invalidated", () => {
    expect(remap("nop", 0n)).toBe(1n);
    expect(remap(`invlpg [${PAGE}]`, 0n)).toBe(2n);
    expect(remap(`invlpg [${PAGE + 0xfff}]`, 0n)).toBe(2n);
    expect(remap(`invlpg [${OTHER}]`, 0n)).toBe(1n);
  });

  test("a CR3 load drops all but global translations", () => {
    expect(remap("mov rax, cr3\nmov cr3, rax", 0n)).toBe(2n);
    expect(remap("mov rax, cr3\nmov cr3, rax", PTE.G)).toBe(2n);
    expect(remap("mov rax, cr3\nmov cr3, rax", PTE.G, { cr4: 0x80n })).toBe(1n);
  });

  test("a change of CR4.PGE drops global translations, too", () => {
    const toggle = "mov rax, cr4\nxor rax, 0x80\nmov cr4, rax";
    expect(remap(toggle, PTE.G, { cr4: 0x80n })).toBe(2n);
  });

  test("does not remember a page that was not present", () => {
    const bench = prepare(`mov rax, [${PAGE}]\nhlt`, 0, 0n);
    const handler = bench.handler(
      0,
      `mov rcx, ${ADDRESS.pageTable + 5 * 8}\nmov qword ptr [rcx], ${PAGE | 3}\nadd rsp, 8\niretq`,
    );
    bench.setGate(14, handler);
    bench.memory.physical.writeU64(PAGE, 7n);
    halted(bench.go());
    expect(bench.state.rax).toBe(7n);
  });
});

// Intel SDM Vol. 1 §3.3.7.1, "Canonical Addressing".
describe("A linear address that is not canonical", () => {
  test("raises #GP(0) for data and #SS(0) for the stack", () => {
    const bench = new KernelBench();
    const data = arrived(bench.run("mov rbx, 0x800000000000\nmov rax, [rbx]"));
    expect(data).toMatchObject({ vector: 13, frame: { errorCode: 0 } });
    bench.changeGate(12, { ist: 1 });
    const stack = arrived(bench.run("mov rsp, 0x800000000010\npush rax"));
    expect(stack).toMatchObject({ vector: 12, frame: { errorCode: 0 } });
  });

  test("raises #GP(0) also where its low half is mapped, whatever its high half looks like", () => {
    for (const high of ["0x4000000000000000", "0x4300000000000000", "0x7fffffff00000000"]) {
      const bench = new KernelBench();
      const data = arrived(bench.run(`mov rbx, ${high} + ${PAGE}\nmov rax, [rbx]`));
      expect(data).toMatchObject({ vector: 13, frame: { errorCode: 0 } });
    }
  });
});

describe("Walk counts", () => {
  test("count a walk for each TLB miss and a reference for each level", () => {
    const bench = prepare(`mov rax, [${PAGE}]\nmov rax, [${PAGE + 8}]\nhlt`, 0, PTE.P | PTE.W);
    const before = bench.processor.counts();
    halted(bench.go());
    const after = bench.processor.counts();
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    // One for the code (a 2-MByte page: three levels), one for the data (four levels).
    expect([grown("walks"), grown("walkReferences")]).toEqual([2, 7]);
  });
});
