import { describe, expect, test } from "vitest";
import { StrategyError } from "./error.ts";
import { Host } from "./host.ts";

const mebibyte = 1 << 20;

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof StrategyError) return error.code;
    throw error;
  }
  return undefined;
}

describe("a host", () => {
  test.each([0, -4096, 4095, 4097, Number.NaN, Infinity])(
    "of %d bytes is refused",
    (memoryBytes) => {
      expect(codeOf(() => Host.create({ memoryBytes }))).toBe("invalid-option");
    },
  );

  test("larger than a process can have is out of memory", () => {
    expect(codeOf(() => Host.create({ memoryBytes: 2 ** 45 }))).toBe("out-of-memory");
  });

  test("gives ranges apart, and takes them back", () => {
    const host = Host.create({ memoryBytes: 4 * mebibyte });
    const first = host.claim("a", mebibyte);
    const second = host.claim("b", mebibyte + 1);
    expect([first.base, second.base, second.sizeBytes]).toEqual([0, mebibyte, mebibyte + 4096]);
    expect(host.freeBytes).toBe(2 * mebibyte - 4096);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(host.claim("c", 4096).base).toBe(0);
  });

  test("says that it is out of memory when no range is large enough", () => {
    const host = Host.create({ memoryBytes: 2 * mebibyte });
    host.claim("a", mebibyte);
    expect(codeOf(() => host.claim("b", mebibyte + 4096))).toBe("out-of-memory");
    expect(codeOf(() => host.claim("b", 0))).toBe("out-of-memory");
    expect(codeOf(() => host.claim("b", mebibyte))).toBeUndefined();
  });

  test("is busy for whoever needs it alone while anybody holds a part, and the other way round", () => {
    const host = Host.create({ memoryBytes: mebibyte });
    const part = host.claim("a", 4096);
    expect(codeOf(() => host.claimAll("b"))).toBe("host-busy");
    part[Symbol.dispose]();
    const whole = host.claimAll("b");
    expect(codeOf(() => host.claim("a", 4096))).toBe("host-busy");
    expect([whole.sizeBytes, host.freeBytes]).toEqual([mebibyte, 0]);
  });

  test("leaves nothing behind for the next machine", () => {
    const host = Host.create({ memoryBytes: mebibyte });
    const first = host.claimAll("a");
    first.memory.physical.writeU32(0x1000, 0x1234);
    first[Symbol.dispose]();
    expect(host.claimAll("b").memory.physical.readU32(0x1000)).toBe(0);
  });

  test("allots the frames of a claim from that claim", () => {
    const host = Host.create({ memoryBytes: mebibyte });
    host.claim("a", 8192);
    const { frames, base } = host.claim("b", 8192);
    expect([frames.allot(), frames.allot(), frames.allot()]).toEqual([
      base,
      base + 4096,
      undefined,
    ]);
  });
});
