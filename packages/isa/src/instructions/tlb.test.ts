import { describe, expect, test } from "vitest";
import { defaultProfile } from "../profile/profile.ts";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, halted, KernelBench, PTE } from "../testing/kernel-bench.ts";

// What INVLPG does to translations is in paging/walk.test.ts.
describe("INVLPG, INVD and WBINVD", () => {
  coversEncodings("invlpg", "invd", "wbinvd");

  test.each([`invlpg [${ADDRESS.data}]`, "invd", "wbinvd"])(
    "%s raises #GP(0) outside CPL 0",
    (text) => {
      const bench = new KernelBench();
      for (const cpl of [1, 3] as const) {
        expect(arrived(bench.run(text, { cpl }))).toMatchObject({
          vector: 13,
          frame: { errorCode: 0 },
        });
      }
    },
  );

  // Intel SDM Vol. 2A, "INVLPG—Invalidate TLB Entries": no fault for an address that is not canonical or not mapped.
  test("INVLPG takes any address", () => {
    const bench = new KernelBench();
    halted(
      bench.run("invlpg [0x700000]\nmov rax, 0x800000000000\ninvlpg [rax]\nwbinvd\ninvd\nhlt"),
    );
    expect(bench.state.rip).toBe(BigInt(ADDRESS.code + 7 + 1 + 10 + 3 + 2 + 2 + 1));
  });

  test("INVLPG of the page that runs is felt by the next instruction", () => {
    const bench = new KernelBench();
    const page = ADDRESS.pages;
    const entry = ADDRESS.pageTable;
    bench.load(
      page,
      `mov qword ptr [${entry}], ${page + 0x1000 + 3}\ninvlpg [${page}]\nmov eax, 1\nhlt`,
    );
    bench.load(
      page + 0x1000,
      `mov qword ptr [${entry}], ${page + 0x1000 + 3}\ninvlpg [${page}]\nmov eax, 2\nhlt`,
    );
    bench.setPage(page, PTE.P | PTE.W);
    halted(bench.run(`mov eax, ${page}\njmp rax`));
    expect(bench.state.rax).toBe(2n);
  });
});

// Intel SDM Vol. 2A, "INVPCID—Invalidate Process-Context Identifier"; Vol. 3A §4.10.1, "Process-Context Identifiers
// (PCIDs)".
describe("INVPCID and PCIDs", () => {
  coversEncodings("invpcid");
  const profile = {
    ...defaultProfile,
    id: "with-pcids",
    features: new Set([...defaultProfile.features, "pcid", "invpcid"]),
  };
  const PCIDE = "mov rax, cr4\nor eax, 0x20000\nmov cr4, rax\n";
  const page = ADDRESS.pages;

  /** Reads a page, changes its entry, invalidates, and reads again. */
  function reread(invalidation: string): bigint {
    const bench = new KernelBench({ profile });
    const { physical } = bench.memory;
    physical.writeU64(page + 0x1000, 1n);
    physical.writeU64(page + 0x2000, 2n);
    bench.setPage(page, PTE.P | PTE.W | PTE.G, page + 0x1000);
    halted(
      bench.run(
        `mov rax, [${page}]\nmov qword ptr [${ADDRESS.pageTable}], ${page + 0x2003}\n${invalidation}\nmov rbx, [${page}]\nhlt`,
      ),
    );
    return bench.state.rbx;
  }

  test("drop an address, a PCID, or everything", () => {
    const descriptor = `mov qword ptr [${ADDRESS.data}], 0\nmov qword ptr [${ADDRESS.data + 8}], ${page}\n`;
    const execute = (type: number): string =>
      reread(`${descriptor}mov ecx, ${type}\ninvpcid rcx, [${ADDRESS.data}]`).toString();
    expect(reread("nop")).toBe(1n);
    expect([0, 1, 2, 3].map(execute)).toEqual(["2", "2", "2", "2"]);
  });

  test.each([
    ["a type above 3", "mov ecx, 4", 0n],
    ["reserved bits of the descriptor", "mov ecx, 0", 0x1000n],
    ["a PCID while CR4.PCIDE is 0", "mov ecx, 1", 1n],
  ])("raise #GP(0) for %s", (_, text, pcid) => {
    const bench = new KernelBench({ profile });
    bench.memory.physical.writeU64(ADDRESS.data, pcid);
    expect(arrived(bench.run(`${text}\ninvpcid rcx, [${ADDRESS.data}]`))).toMatchObject({
      vector: 13,
      frame: { errorCode: 0 },
    });
  });

  test("CR3 has a PCID and, when it is written, bit 63, which it does not keep", () => {
    const bench = new KernelBench({ profile });
    const text = `${PCIDE}mov rax, ${0x8000_0000_0000_0000n | BigInt(ADDRESS.pml4 + 5)}\nmov cr3, rax\nmov rbx, cr3\nhlt`;
    halted(bench.run(text));
    expect(bench.state.rbx).toBe(BigInt(ADDRESS.pml4 + 5));
  });

  test("CR4.PCIDE is refused while CR3 has a PCID", () => {
    const bench = new KernelBench({ profile });
    const text = `mov rax, ${ADDRESS.pml4 + 8}\nmov cr3, rax\n${PCIDE}`;
    expect(arrived(bench.run(text))).toMatchObject({ vector: 13, frame: { errorCode: 0 } });
  });

  test("are not there without their features", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run(`invpcid rcx, [${ADDRESS.data}]`)).vector).toBe(6);
    expect(arrived(bench.run(PCIDE)).vector).toBe(13);
  });
});
