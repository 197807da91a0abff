import { describe, expect, test } from "vitest";
import { ADDRESS, arrived, halted, KernelBench } from "../testing/kernel-bench.ts";
import { coversEncodings } from "../testing.ts";
import { slots } from "../state/layout.ts";

const IMAGE = ADDRESS.data;

function image(bench: KernelBench): DataView {
  return new DataView(Uint8Array.from(bench.memory.physical.read(IMAGE, 512)).buffer);
}

/** A bench whose memory holds an image with a value of its own in every field. */
function withImage(mxcsr = 0x5f80): KernelBench {
  const bench = new KernelBench();
  const bytes = Uint8Array.from({ length: 512 }, (_, at) => (at * 7 + 3) & 0xff);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x27f, true);
  view.setUint16(2, 0x3800, true);
  view.setUint8(4, 0x81);
  view.setUint32(24, mxcsr, true);
  // ST(1) is pi; TOP is 7, so it lies in R0.
  view.setBigUint64(48, 0xc90f_daa2_2168_c235n, true);
  view.setUint16(56, 0x4000, true);
  bench.memory.physical.write(IMAGE, bytes);
  return bench;
}

// Intel SDM Vol. 2A, "FXSAVE—Save x87 FPU, MMX Technology, and SSE State" and "FXRSTOR—Restore x87 FPU, MMX, XMM, and MXCSR State".
describe("FXSAVE and FXRSTOR", () => {
  coversEncodings("fxsave", "fxsave64", "fxrstor", "fxrstor64");

  test.each([
    ["fxrstor", "fxsave", 0x8_0200],
    ["fxrstor64", "fxsave64", 0x8_0200],
  ])("%s loads the image that %s stores", (restore, save, copy) => {
    const bench = withImage();
    halted(bench.run(`${restore} [0x80000]\n${save} [${copy}]\nhlt`));
    const wide = save.endsWith("64");
    const before = bench.memory.physical.read(IMAGE, 416);
    const after = bench.memory.physical.read(copy, 416);
    const differing = [...before.keys()].filter((at) => before[at] !== after[at]);
    // Reserved: byte 5, MXCSR_MASK, the upper halves of selectors, and what is above the 80 bits of each register.
    const isReserved = (at: number): boolean =>
      at === 5 ||
      (at >= 28 && at < 32) ||
      (!wide && [14, 15, 22, 23].includes(at)) ||
      (at >= 32 && at < 160 && at % 16 >= 10);
    expect(differing.filter((at) => !isReserved(at))).toEqual([]);
  });

  test("loads control words, tags, MXCSR and registers", () => {
    const bench = withImage();
    halted(bench.run("fxrstor [0x80000]\nhlt"));
    const { state } = bench;
    expect(state.get(slots.fcw)).toBe(0x27fn);
    expect(state.get(slots.fsw)).toBe(0x3800n);
    expect(state.get(slots.mxcsr)).toBe(0x5f80n);
    // R0 and R7 are in use: R0 holds pi, a valid number; R7 is not normalized, a special one.
    expect(state.get(slots.ftw)).toBe(0b10_11_11_11_11_11_11_00n);
    expect([...state.xmm(15)]).toEqual([...bench.memory.physical.read(IMAGE + 160 + 15 * 16, 16)]);
  });

  test("32-bit code saves and loads eight XMM registers", () => {
    const bench = withImage();
    bench.memory.physical.fill(0x8_0200, 0xaa, 512);
    halted(bench.run("fxrstor [0x80000]\nfxsave [0x80200]\nhlt", { mode: 32 }));
    const { physical } = bench.memory;
    expect(physical.read(0x8_0200 + 160, 128)).toEqual(physical.read(IMAGE + 160, 128));
    expect(physical.read(0x8_0200 + 288, 128)).toEqual(new Uint8Array(128).fill(0xaa));
  });

  test("leaves the last 48 bytes to the operating system", () => {
    const bench = new KernelBench();
    bench.memory.physical.fill(IMAGE, 0xaa, 512);
    halted(bench.run("fxsave [0x80000]\nhlt"));
    expect(bench.memory.physical.read(IMAGE + 464, 48)).toEqual(new Uint8Array(48).fill(0xaa));
    expect(image(bench).getUint32(28, true)).toBe(0xffff);
  });

  test.each(["fxsave", "fxrstor", "fxsave64", "fxrstor64"])(
    "%s refuses an address that is not aligned",
    (name) => {
      expect(arrived(new KernelBench().run(`${name} [0x80008]`))).toMatchObject({
        vector: 13,
        frame: { errorCode: 0 },
      });
    },
  );

  test("FXRSTOR refuses reserved bits of MXCSR and changes nothing", () => {
    const bench = withImage(0x1_1f80);
    expect(arrived(bench.run("fxrstor [0x80000]"))).toMatchObject({ vector: 13 });
    expect(bench.state.get(slots.mxcsr)).toBe(0x1f80n);
    expect(bench.state.get(slots.fsw)).toBe(0n);
  });

  test.each(["fxsave", "fxrstor"])("%s raises #NM while CR0.TS is set", (name) => {
    const text = `mov rax, cr0\nbts rax, 3\nmov cr0, rax\n${name} [0x80000]`;
    expect(arrived(new KernelBench().run(text))).toMatchObject({ vector: 7 });
  });

  test("FXSAVE over a page that is not there stores nothing", () => {
    const bench = new KernelBench();
    bench.setPage(0x40_1000, 0n);
    bench.memory.physical.fill(0x40_0f00, 0xaa, 256);
    const outcome = arrived(bench.run("fxsave [0x400f00]"));
    expect(outcome).toMatchObject({ vector: 14, frame: { errorCode: 2 } });
    expect(bench.memory.physical.read(0x40_0f00, 256)).toEqual(new Uint8Array(256).fill(0xaa));
  });
});
