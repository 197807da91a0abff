import { userProgram } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { container } from "@ringside/strategy-container";

const host = Host.create({ memoryBytes: 32 << 20 });
const path = "/bin/fork-bomb";
const guest = {
  kind: "program",
  argv: [path],
  env: [],
  files: new Map([[path, { bytes: userProgram("hostile/fork-bomb"), mode: 0o755 }]]),
  memoryBytes: 32 << 20,
} as const;

using machine = container.create(host, guest, { pidsLimit: 50 });
machine.input.end();
const exit = machine.run(1_000_000_000);
console.log(exit.reason, machine.counts()["pids"]); // => exited { peak: 50, refused: 1 }
