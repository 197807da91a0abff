import { expect, test } from "vitest";
import { textWatch } from "./text-watch.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("finds a text that is cut into pieces anywhere, and not before its end", () => {
  for (let cut = 1; cut < 7; cut += 1) {
    const found = textWatch("login: ");
    expect(found(bytes(`... ${"login: ".slice(0, cut)}`))).toBe(false);
    expect(found(bytes("login: ".slice(cut)))).toBe(true);
    expect(found(bytes("more"))).toBe(true);
  }
});

test("finds letters of several bytes", () => {
  const found = textWatch("é");
  expect(found(Uint8Array.of(0xc3))).toBe(false);
  expect(found(Uint8Array.of(0xa9))).toBe(true);
});

test("does not find what only nearly appears", () => {
  const found = textWatch("abab");
  expect(found(bytes("aba"))).toBe(false);
  expect(found(bytes("cab"))).toBe(false);
  expect(found(bytes("ab"))).toBe(true);
});
