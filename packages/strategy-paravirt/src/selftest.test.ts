/**
 * The guest kernel that tests what is under it, built for Xen's interface: what it finds here is what it finds on Xen.
 */
import { selftestXenGroups, selftestXenImage } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { expect, test } from "vitest";
import { paravirt } from "./index.ts";

const memoryBytes = 16 << 20;
/** Many times what the longest group takes. */
const limitUnits = 50_000_000;

test.each(selftestXenGroups)("a kernel finds Xen's interface: %s", (group) => {
  const log: Uint8Array[] = [];
  using machine = paravirt.create(
    Host.create({ memoryBytes: 2 * memoryBytes }),
    {
      kind: "kernel",
      format: "xen-pv",
      image: selftestXenImage(),
      commandLine: `only=${group}`,
      memoryBytes,
    },
    { output: { log: (bytes) => void log.push(bytes) } },
  );
  machine.input.end();
  const exit = machine.run(limitUnits);
  const lines = log
    .map((bytes) => new TextDecoder().decode(bytes))
    .join("")
    .split("\n")
    .filter(Boolean);
  expect(lines.filter((line) => !line.startsWith("ok "))).toEqual(["passed 0"]);
  expect(lines.length).toBeGreaterThan(5);
  expect(exit).toEqual({ reason: "halted", value: 0 });
});
