import { defaultProfile } from "@ringside/isa";
import { expect, test } from "vitest";
import { createExclusive, refuseProcessor } from "./create-exclusive.ts";
import { Host } from "./host.ts";

test("a processor that a strategy cannot give is refused, with what to do", () => {
  expect(() => refuseProcessor("some", { processor: defaultProfile })).toThrow(
    `[ringside/some] The processor "${defaultProfile.id}" was asked for, and its machines have the default one alone.`,
  );
});

test("no processor, or a strategy that takes it, is fine", () => {
  expect(() => refuseProcessor("some", {})).not.toThrow();
  expect(() => refuseProcessor("some", { processor: defaultProfile }, true)).not.toThrow();
});

test("modules are refused for kernels that take an initrd alone", () => {
  const memoryBytes = 4 << 20;
  const create = (format: "bzimage" | "multiboot"): unknown =>
    createExclusive({
      strategy: "some",
      host: Host.create({ memoryBytes }),
      options: {},
      accepts: () => ({ accepted: true }),
      guest: {
        kind: "kernel",
        image: new Uint8Array(1),
        format,
        commandLine: "",
        modules: [{ bytes: new Uint8Array(1), commandLine: "" }],
        memoryBytes,
      },
      hostBytes: memoryBytes,
      core: () => {
        throw new Error("The core is made.");
      },
    });
  expect(() => create("bzimage")).toThrow('"bzimage" was given 1 modules');
  expect(() => create("multiboot")).toThrow("The core is made.");
});
