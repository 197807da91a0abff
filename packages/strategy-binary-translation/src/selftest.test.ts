/** The guest's kernel self-test: what a processor must do, as a kernel sees it. Nothing of it may show the translation. */
import { selftestImage } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { expect, test } from "vitest";
import { hostBytesFor } from "./binary-translation-machine.ts";
import { binaryTranslation } from "./index.ts";

const memoryBytes = 32 << 20;

test.each([
  "exceptions",
  "contributory",
  "paging",
  "tlb",
  "flags",
  "stepping",
  "breakpoints",
  "sensitive",
  "descriptors",
  "code",
  "interrupts",
  "nmi",
  "strings",
  "registers",
  "timer",
  "refusals",
])("%s hold", (group) => {
  const host = Host.create({ memoryBytes: hostBytesFor(memoryBytes) });
  let log = "";
  using machine = binaryTranslation.create(
    host,
    {
      kind: "kernel",
      image: selftestImage(),
      format: "elf64",
      commandLine: `only=${group}`,
      memoryBytes,
    },
    { output: { log: (bytes) => (log += new TextDecoder().decode(bytes)) } },
  );
  machine.input.end();
  const exit = machine.run(300_000_000);
  expect(log.split("\n").filter((line) => line.startsWith("bad"))).toEqual([]);
  expect(exit).toEqual({ reason: "halted", value: 0 });
});
