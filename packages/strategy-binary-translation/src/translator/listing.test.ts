import { assemble } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { TranslationListing } from "./listing.ts";

const at = 0xffff_ffff_8010_0000n;

function listing(source: string): TranslationListing {
  const { bytes } = assemble(source, { address: at });
  return new TranslationListing((linear) => {
    const from = Number(linear - at);
    return from >= 0 && from < bytes.length ? bytes.subarray(from) : undefined;
  });
}

describe("a listing", () => {
  test("sets guest code beside its translation, and says why", () => {
    const unit = listing("inc rax\nswapgs\nhlt").unit(at);
    expect(unit?.instructions.map(({ guest, treatment }) => [guest?.text, treatment])).toEqual([
      ["inc rax", "copy"],
      ["swapgs", "in-cache"],
      ["hlt", "callout"],
    ]);
    const [, swap, halt] = unit?.instructions ?? [];
    expect(swap?.code.map(({ text }) => text)).toContain("mov rcx, qword ptr [$kernelGsBase]");
    expect(swap?.why).toMatch(/virtual CPU/u);
    expect(halt?.code).toMatchObject([{ text: "int 0x60", note: "the hypervisor executes HLT" }]);
  });

  test("names the lookup table, and shows what branches away behind the unit", () => {
    const [ret] = listing("ret").unit(at)?.instructions ?? [];
    const texts = ret?.code.map(({ text }) => text);
    expect(texts).toContain("cmp rcx, qword ptr [rax+$lookup]");
    expect(ret?.code.at(-1)).toMatchObject({
      text: "int 0x60",
      note: "the table does not have the target",
    });
  });

  test("says where direct branches lead, and lists units one after the other", () => {
    const all = listing("jz there\nnop\nthere: ret");
    const unit = all.unit(at);
    expect(unit?.targets).toEqual([at + 2n, at + 3n]);
    expect(unit?.behind.filter(({ note }) => note !== undefined)).toHaveLength(2);
    const second = all.unit(at + 3n);
    const end = unit?.behind.at(-1);
    expect(second?.instructions[0]?.code[0]?.address).toBe(
      (end?.address ?? 0n) + BigInt(end?.bytes.length ?? 0),
    );
  });

  test("has nothing where no code is", () => {
    expect(listing("ret").unit(0n)).toBeUndefined();
  });
});
