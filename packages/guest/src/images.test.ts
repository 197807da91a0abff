import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exitValues, frameTypes, markBase, marks, paths, ports } from "./abi.ts";
import {
  kernelImage,
  kernelXenImage,
  nanoImage,
  nanoXenImage,
  programNames,
  selftestImage,
  selftestXenImage,
  userProgram,
} from "./images.ts";
import { unpackImage } from "./packed-image.ts";
import { programCases } from "./program-cases.ts";
import { programInitrd } from "./program-initrd.ts";

const guestFolder = new URL("../", import.meta.url);
const elfMagic = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];

describe("images", () => {
  test("are the files of images/", () => {
    for (const [name, image] of [
      ["kernel", kernelImage()],
      ["kernel-xen", kernelXenImage()],
      ["nano", nanoImage()],
      ["nano-xen", nanoXenImage()],
      ["selftest", selftestImage()],
      ["selftest-xen", selftestXenImage()],
    ] as const) {
      const file = readFileSync(new URL(`images/${name}.elf`, guestFolder));
      expect([name, file.equals(image)]).toEqual([name, true]);
    }
  });

  test.each(programNames)("%s is a static x86-64 ELF file", (name) => {
    const program = userProgram(name);
    expect([...program.subarray(0, 7)]).toEqual(elfMagic);
    expect(new DataView(program.buffer).getUint16(18, true)).toBe(62);
  });

  test("are copies", () => {
    userProgram("init").fill(0);
    expect(userProgram("init")[0]).toBe(0x7f);
  });

  test("refuse an unknown name", () => {
    expect(() => userProgram("nothing")).toThrow(/No program is named "nothing"/u);
  });

  test("have every program that the cases name", () => {
    expect(programCases.length).toBeGreaterThan(40);
    for (const { program } of programCases) expect(programNames).toContain(program);
    expect(new Set(programCases.map(({ name, args }) => [name, ...args].join(" "))).size).toBe(
      programCases.length,
    );
  });
});

describe("unpackImage", () => {
  test("takes text and zeros in turn", () => {
    expect(unpackImage("AQI= 3 Aw==")).toEqual(Uint8Array.of(1, 2, 0, 0, 0, 3));
  });

  test("refuses a run that is no number", () => {
    expect(() => unpackImage("AQI= x Aw==")).toThrow(RangeError);
  });
});

describe("the ABI", () => {
  test("is the same in abi/ringside.h", () => {
    const header = readFileSync(new URL("abi/ringside.h", guestFolder), "utf8");
    const value = (name: string): string =>
      new RegExp(`^#define RINGSIDE_${name} (\\S+)`, "mu").exec(header)?.[1] ?? `no ${name}`;
    const numbers: readonly (readonly [string, number])[] = [
      ["FRAME_STDOUT", frameTypes.stdout],
      ["FRAME_STDERR", frameTypes.stderr],
      ["FRAME_EXIT", frameTypes.exit],
      ["FRAME_STDIN_CLOSED", frameTypes.stdinClosed],
      ["FRAME_MESSAGE", frameTypes.message],
      ["FRAME_STDIN", frameTypes.stdin],
      ["FRAME_STDIN_END", frameTypes.stdinEnd],
      ["MARK_BASE", markBase],
      ["MARK_BENCHMARK_START", marks.benchmarkStart],
      ["MARK_BENCHMARK_COLD_END", marks.benchmarkColdEnd],
      ["MARK_BENCHMARK_END", marks.benchmarkEnd],
      ["MARK_USER", marks.user],
      ["PORT_EXIT", ports.exit],
      ["PORT_DEBUG_CONSOLE", ports.debugConsole],
      ["PORT_CONSOLE", ports.console],
      ["EXIT_POWER_OFF", exitValues.powerOff],
      ["EXIT_PANIC", exitValues.panic],
    ];
    for (const [name, number] of numbers) {
      expect([name, Number(value(name))]).toEqual([name, number]);
    }
    for (const [name, path] of Object.entries(paths)) {
      expect(value(`PATH_${name.toUpperCase()}`)).toBe(`"${path}"`);
    }
  });
});

describe("programInitrd", () => {
  test("refuses an empty argv and NUL in strings", () => {
    expect(() => programInitrd({ argv: [], env: [], files: [] })).toThrow(/argv is empty/u);
    expect(() => programInitrd({ argv: ["/a"], env: ["A=\0"], files: [] })).toThrow(
      /contains NUL/u,
    );
  });

  test("refuses a file in place of /init", () => {
    const files = [{ path: "/init", data: new Uint8Array() }];
    expect(() => programInitrd({ argv: ["/a"], env: [], files })).toThrow(/twice/u);
  });
});
