import { describe, expect, test } from "vitest";
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
