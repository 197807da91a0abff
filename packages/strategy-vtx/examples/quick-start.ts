import { userProgram } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { vtx } from "@ringside/strategy-vtx";

const host = Host.create({ memoryBytes: 64 << 20 });
const path = "/bin/pipes";
const guest = {
  kind: "program",
  argv: [path],
  env: [],
  files: new Map([[path, { bytes: userProgram("tests/pipes"), mode: 0o755 }]]),
  memoryBytes: 64 << 20,
} as const;

using machine = vtx.create(host, guest);
machine.input.end();
const exit = machine.run(1_000_000_000);
console.log(exit); // => { reason: 'exited', status: { kind: 'code', code: 0 } }
