import { expect, test } from "vitest";
import { BlockStoreError, MemoryStore } from "./block-store.ts";
import { OverlayStore } from "./overlay-store.ts";

const sizeBytes = 4096 * 3 + 512;

/** Writes at random places of random lengths, compared with a plain array. */
test("reads what was written over what was there, whatever the places", () => {
  let state = 12_345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const base = Uint8Array.from({ length: sizeBytes }, (_, at) => at % 251);
  const original = base.slice();
  const model = base.slice();
  const overlay = new OverlayStore(new MemoryStore(base));
  for (let round = 0; round < 300; round += 1) {
    const offset = random(sizeBytes);
    const length = random(sizeBytes - offset) + 1;
    if (round % 2 === 0) {
      const bytes = new Uint8Array(length).fill(round);
      overlay.write(offset, bytes);
      model.set(bytes, offset);
    }
    const read = new Uint8Array(length);
    overlay.read(offset, read);
    expect(read).toEqual(model.subarray(offset, offset + length));
  }
  expect(base).toEqual(original);
  overlay.clear();
  const all = new Uint8Array(sizeBytes);
  overlay.read(0, all);
  expect(all).toEqual(original);
});

test("takes memory for clusters that were written, and no others", () => {
  const overlay = new OverlayStore(new MemoryStore(new Uint8Array(1 << 20)));
  overlay.write(4095, new Uint8Array(2));
  expect(overlay.changedBytes).toBe(2 * 4096);
});

test("takes no more memory than it may, and keeps what it has", () => {
  const overlay = new OverlayStore(new MemoryStore(new Uint8Array(1 << 20)), {
    limitBytes: 3 * 4096,
  });
  overlay.write(0, new Uint8Array(2 * 4096).fill(1));
  expect(() => overlay.write(8 * 4096, new Uint8Array(2 * 4096))).toThrow(BlockStoreError);
  overlay.write(4096, Uint8Array.of(2));
  const bytes = new Uint8Array(2);
  overlay.read(4095, bytes);
  expect([...bytes]).toEqual([1, 2]);
});
