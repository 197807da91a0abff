import { expect, test } from "vitest";
import { createKernelMachine } from "./create-kernel-machine.ts";
import type { Guest } from "./guest.ts";
import { Host } from "./host.ts";

const memoryBytes = 4 << 20;

const program: Guest = {
  kind: "program",
  argv: ["/hello"],
  env: [],
  files: new Map([["/hello", { bytes: new Uint8Array(), mode: 0o755 }]]),
  memoryBytes,
};

test("a strategy that accepts programs and carries none refuses them, and gives the host back", () => {
  const host = Host.create({ memoryBytes });
  const create = (): unknown =>
    createKernelMachine({
      strategy: "some",
      host,
      guest: program,
      options: {},
      accepts: () => ({ accepted: true }),
      hostBytes: memoryBytes,
      machine: () => {
        throw new Error("No machine was to be made.");
      },
    });
  expect(create).toThrow(expect.objectContaining({ code: "guest-refused" }));
  expect(host.freeBytes).toBe(memoryBytes);
});

test("what cannot be handed to the carrying kernel is the guest's fault", () => {
  const host = Host.create({ memoryBytes });
  const create = (): unknown =>
    createKernelMachine({
      strategy: "some",
      host,
      guest: program,
      options: {},
      accepts: () => ({ accepted: true }),
      hostBytes: memoryBytes,
      programs: {
        kernel: () => {
          throw new RangeError("A path is too long.");
        },
        console: () => {
          throw new Error("No console was to be made.");
        },
      },
      machine: () => {
        throw new Error("No machine was to be made.");
      },
    });
  expect(create).toThrow(expect.objectContaining({ code: "invalid-guest" }));
  expect(host.freeBytes).toBe(memoryBytes);
});
