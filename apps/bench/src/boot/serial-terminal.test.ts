import { expect, test } from "vitest";
import { KeyReader } from "./serial-terminal.ts";

const keys = (...codes: number[]): Uint8Array => Uint8Array.from(codes);

test("gives every key to the guest, Ctrl-C too", () => {
  expect(new KeyReader().read(keys(0x61, 0x03, 0x0d))).toEqual({
    bytes: keys(0x61, 0x03, 0x0d),
    leaves: false,
  });
});

test("leaves on Ctrl-A x, with what was typed before, also when the keys come one by one", () => {
  expect(new KeyReader().read(keys(0x61, 0x01, 0x78, 0x62))).toEqual({
    bytes: keys(0x61),
    leaves: true,
  });
  const reader = new KeyReader();
  expect(reader.read(keys(0x01))).toEqual({ bytes: keys(), leaves: false });
  expect(reader.read(keys(0x78))).toEqual({ bytes: keys(), leaves: true });
});

test("sends one Ctrl-A for two, and Ctrl-A with any other key", () => {
  const reader = new KeyReader();
  expect(reader.read(keys(0x01, 0x01)).bytes).toEqual(keys(0x01));
  expect(reader.read(keys(0x01, 0x64)).bytes).toEqual(keys(0x01, 0x64));
  expect(reader.read(keys(0x78))).toEqual({ bytes: keys(0x78), leaves: false });
});
