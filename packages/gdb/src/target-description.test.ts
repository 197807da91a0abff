import { describe, expect, test } from "vitest";
import { GdbError } from "./gdb-error.ts";
import { describedRegisters } from "./target-description.ts";
import { targetRegisters, targetXml } from "./target-registers.ts";

const none = (name: string): Promise<string> => Promise.reject(new Error(`no ${name}`));

describe("a target description", () => {
  test("of ours names each register once, in the order of its numbers", async () => {
    const described = await describedRegisters(targetXml, none);
    expect(described).toEqual(targetRegisters.map(({ name, bits }) => ({ name, bits })));
    expect(new Set(targetRegisters.map(({ name }) => name)).size).toBe(targetRegisters.length);
  });

  test("goes on in the documents that it includes, in their place", async () => {
    const documents = new Map([["core.xml", '<feature><reg name="b" bitsize="32"/></feature>']]);
    const main = `<target><feature><reg name="a" bitsize="64" type="int"/></feature>
      <xi:include href="core.xml"/><reg bitsize='8' name='c'/></target>`;
    expect(await describedRegisters(main, async (name) => documents.get(name) ?? "")).toEqual([
      { name: "a", bits: 64 },
      { name: "b", bits: 32 },
      { name: "c", bits: 8 },
    ]);
  });

  test("has no registers in its comments", async () => {
    const text =
      '<!--reg name="x" bitsize="8"/>\n<reg name="y" bitsize="8"/--><reg name="a" bitsize="8"/>';
    expect(await describedRegisters(text, none)).toEqual([{ name: "a", bits: 8 }]);
  });

  test("may number registers itself", async () => {
    const text = '<reg name="a" bitsize="8" regnum="2"/><reg name="b" bitsize="8"/>';
    expect(await describedRegisters(text, none)).toEqual([
      undefined,
      undefined,
      { name: "a", bits: 8 },
      { name: "b", bits: 8 },
    ]);
  });

  test.each([
    ["nothing", "<target/>"],
    ["itself", '<xi:include href="target.xml"/>'],
    ["a register without a size", '<reg name="a"/>'],
    ["a register of no sensible size", '<reg name="a" bitsize="1e9"/>'],
    ["a register of no sensible number", '<reg name="a" bitsize="8" regnum="99999"/>'],
  ])("that has %s is refused", async (_what, text) => {
    await expect(describedRegisters(text, async () => text)).rejects.toThrow(GdbError);
  });
});
