import { expect, test } from "vitest";
import { KeyReader } from "./serial-terminal.ts";

const keys = (...codes: number[]): Uint8Array => Uint8Array.from(codes);

test("gives every key to the guest, Ctrl-C too", () => {
  expect(new KeyReader().read(keys(0x61, 0x03, 0x0d))).toEqual({
    bytes: keys(0x61, 0x03, 0x0d),
    leaves: false,
    asks: false,
  });
});

test("leaves on Ctrl-A x, with what was typed before, also when the keys come one by one", () => {
  expect(new KeyReader().read(keys(0x61, 0x01, 0x78, 0x62))).toEqual({
    bytes: keys(0x61),
    leaves: true,
    asks: false,
  });
  const reader = new KeyReader();
  expect(reader.read(keys(0x01))).toEqual({ bytes: keys(), leaves: false, asks: false });
  expect(reader.read(keys(0x78))).toEqual({ bytes: keys(), leaves: true, asks: false });
});

test("sends one Ctrl-A for two, and Ctrl-A with any other key", () => {
  const reader = new KeyReader();
  expect(reader.read(keys(0x01, 0x01)).bytes).toEqual(keys(0x01));
  expect(reader.read(keys(0x01, 0x64)).bytes).toEqual(keys(0x01, 0x64));
  expect(reader.read(keys(0x78))).toEqual({ bytes: keys(0x78), leaves: false, asks: false });
});

test("asks for help on Ctrl-A h, of which the guest sees nothing", () => {
  expect(new KeyReader().read(keys(0x61, 0x01, 0x68, 0x62))).toEqual({
    bytes: keys(0x61, 0x62),
    leaves: false,
    asks: true,
  });
});
