/** A program for Node and for browsers alike: the test kernel under every strategy, and a program in a container. */

/** Puts exits and counts, as JSON, into `globalThis.report`. */
export const everyStrategy = `
import { nanoImage, nanoXenImage, userProgram } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { bare } from "@ringside/strategy-bare";
import { binaryTranslation } from "@ringside/strategy-binary-translation";
import { container } from "@ringside/strategy-container";
import { paravirt } from "@ringside/strategy-paravirt";
import { vtx, vtxShadow } from "@ringside/strategy-vtx";

const memoryBytes = 16 << 20;
const kernel = { kind: "kernel", memoryBytes, commandLine: "bench=syscall n=1000" };
const native = { ...kernel, image: nanoImage(), format: "elf64" };
const ported = { ...kernel, image: nanoXenImage(), format: "xen-pv" };
const file = { bytes: userProgram("tests/pipes"), mode: 0o755 };
const program = { kind: "program", argv: ["/pipes"], env: [], files: new Map([["/pipes", file]]), memoryBytes };

const report = {};
for (const [strategy, guest] of [
  [bare, native], [binaryTranslation, native], [paravirt, ported], [vtx, native], [vtxShadow, native], [container, program],
]) {
  const machine = strategy.create(Host.create({ memoryBytes: 2 * memoryBytes }), guest);
  machine.input.end();
  report[strategy.id] = { exit: machine.run(1e9), counts: machine.counts() };
}
globalThis.report = JSON.stringify(report);
`;
