import { describe, expect, test } from "vitest";
import { defaultProfile } from "../profile/profile.ts";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, halted, KernelBench, PTE } from "../testing/kernel-bench.ts";

const SMEP = 0x10_0000n;
const SMAP = 0x20_0000n;
const AC = 0x4_0002n;
const USER_PAGE = ADDRESS.pages;
const profile = {
  ...defaultProfile,
  id: "with-smap",
  features: new Set([...defaultProfile.features, "smep", "smap"]),
};

/**
 * All memory but one page becomes the supervisor's, and CR4 gets a flag.
 */
function prepare(text: string, cr4: bigint, rflags = 2n): KernelBench {
  const bench = new KernelBench({ profile });
  const { physical } = bench.memory;
  bench.load(ADDRESS.code, text);
  for (const at of [ADDRESS.directory, ADDRESS.directory + 8]) {
    physical.writeU64(at, physical.readU64(at) & ~PTE.U);
  }
  bench.enter({ rflags });
  bench.setPage(USER_PAGE, PTE.P | PTE.W | PTE.U);
  bench.state.setControl("cr4", bench.state.cr4 | cr4);
  return bench;
}

// Intel SDM Vol. 3A §4.6.1, "Determination of Access Rights".
describe("SMEP", () => {
  test("denies supervisor fetches from user pages, whatever EFLAGS.AC is", () => {
    const text = `mov eax, ${USER_PAGE}\njmp rax`;
    for (const flags of [2n, AC]) {
      const outcome = prepare(text, SMEP, flags).go();
      expect(arrived(outcome)).toMatchObject({ vector: 14, frame: { errorCode: 0x11 } });
    }
  });
});

describe("SMAP", () => {
  coversEncodings("clac", "stac");

  test("denies supervisor reads and writes of user pages", () => {
    expect(arrived(prepare(`mov eax, [${USER_PAGE}]`, SMAP).go())).toMatchObject({
      vector: 14,
      frame: { errorCode: 1 },
    });
    expect(arrived(prepare(`mov [${USER_PAGE}], eax`, SMAP).go())).toMatchObject({
      vector: 14,
      frame: { errorCode: 3 },
    });
    halted(prepare(`mov eax, [${ADDRESS.data}]\nmov [${ADDRESS.data}], eax\nhlt`, SMAP).go());
  });

  test.each([
    ["STAC", "stac"],
    ["POPF", "push 0x40002\npopfq"],
  ])(
    "lets them through after %s, and not after CLAC or POPF, with the translation cached",
    (_, open) => {
      const access = `mov [${USER_PAGE}], eax\nmov eax, [${USER_PAGE}]\n`;
      for (const close of ["clac", "push 2\npopfq"]) {
        const bench = prepare(
          `${open}\n${access}${access}${close}\nmov ebx, 1\n${access}hlt`,
          SMAP,
        );
        expect(arrived(bench.go())).toMatchObject({ vector: 14, frame: { errorCode: 3 } });
        expect(bench.state.rbx).toBe(1n);
      }
    },
  );

  test("applies to descriptor tables even with EFLAGS.AC set", () => {
    const bench = prepare("stac\nmov eax, 0x10\nmov ds, ax\nhlt", SMAP);
    bench.memory.physical.copy(ADDRESS.gdt, USER_PAGE, 0x100);
    bench.moveGdt(USER_PAGE);
    // The handler's own code segment lies in the same table, so the processor gives up.
    expect(bench.go()).toMatchObject({ kind: "exit", exit: { reason: "shutdown" } });
  });

  test("STAC and CLAC are #UD outside CPL 0, and without the feature", () => {
    for (const text of ["stac", "clac"]) {
      expect(arrived(new KernelBench({ profile }).run(text, { cpl: 3 })).vector).toBe(6);
      expect(arrived(new KernelBench().run(text)).vector).toBe(6);
    }
  });
});
