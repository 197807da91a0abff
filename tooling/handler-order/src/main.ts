/**
 * Measures which forms run most, and writes them into packages/isa/src/interpreter/order.ts.
 *
 * A sample is the instruction at RIP after every 997 units of the benchmarks, without the boot, and, where it is installed, of Debian's
 * busybox, all under bare, so that the guest's kernel counts too. Kernel-bound workloads weigh less.
 *
 * Usage: node --conditions=@ringside/source tooling/handler-order/src/main.ts [--write]
 */
import { readFile, writeFile } from "node:fs/promises";
import { userProgram } from "@ringside/guest";
import { decode, type Decoded } from "@ringside/isa";
import { Host, isFinal, type ProgramGuest } from "@ringside/strategy";
import { bare } from "@ringside/strategy-bare";

const STEP_UNITS = 997;
const SAMPLES_MAXIMUM = 20_000;
const INSTRUCTION_BYTES = 15;
/** More than the guest kernel's boot takes. */
const BOOT_UNITS = 4_000_000;
const MEBIBYTE = 1 << 20;
const ORDER = new URL("../../../packages/isa/src/interpreter/order.ts", import.meta.url);
const BUSYBOX = "/bin/busybox";

const BENCHMARKS: readonly (readonly [string, number])[] = [
  ["integer-mix", 60],
  ["sieve", 40],
  ["sha256", 70],
  ["nbody", 8000],
  ["fork-exec", 40],
  ["pipe-latency", 1500],
  ["page-fault", 2000],
  ["signal", 1500],
];
/** These all run the same kernel code, so each weighs less: neighbours in the list are neighbours in the machine's caches. */
const KERNEL_BOUND: ReadonlySet<string> = new Set([
  "fork-exec",
  "pipe-latency",
  "page-fault",
  "signal",
]);
const KERNEL_WEIGHT = 0.25;
const BUSYBOX_SCRIPT =
  "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); done | busybox sort -rn | busybox sed s/line/row/ | busybox md5sum";

function program(path: string, bytes: Uint8Array, args: readonly string[]): ProgramGuest {
  return {
    kind: "program",
    argv: [path, ...args],
    env: [],
    files: new Map([[path, { bytes, mode: 0o755 }]]),
    memoryBytes: 64 * MEBIBYTE,
  };
}

async function workloads(): Promise<readonly (readonly [string, ProgramGuest])[]> {
  const bench = userProgram("bin/bench");
  const list: (readonly [string, ProgramGuest])[] = BENCHMARKS.map(
    ([name, rounds]) => [name, program("/bin/bench", bench, [name, String(rounds)])] as const,
  );
  try {
    list.push(["busybox", program(BUSYBOX, await readFile(BUSYBOX), ["sh", "-c", BUSYBOX_SCRIPT])]);
  } catch {
    process.stderr.write(`${BUSYBOX} is not installed; its share is left out.\n`);
  }
  return list;
}

/** Samples of each form, by its name: from the first mark on, or, in a program without marks, after the kernel's boot. */
function sample(guest: ProgramGuest): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  let marked = false;
  using machine = bare.create(Host.create({ memoryBytes: guest.memoryBytes + MEBIBYTE }), guest, {
    trace: { mark: () => void (marked = true) },
  });
  machine.input.end();
  for (let taken = 0; taken < SAMPLES_MAXIMUM; taken += 1) {
    if (isFinal(machine.run(STEP_UNITS))) break;
    if (!marked && (guest.argv[0] !== BUSYBOX || machine.units < BOOT_UNITS)) continue;
    const rip = machine.inspect.registers()["rip"];
    const bytes =
      rip === undefined ? undefined : machine.inspect.readMemory(rip, INSTRUCTION_BYTES);
    if (bytes === undefined) continue;
    const decoded = decode(bytes, 0, { mode: 64 });
    if ("fault" in decoded) continue;
    const { name } = (decoded satisfies Decoded).form;
    found.set(name, (found.get(name) ?? 0) + 1);
  }
  return found;
}

const shares = new Map<string, number>();
for (const [name, guest] of await workloads()) {
  const found = sample(guest);
  const total = [...found.values()].reduce((sum, count) => sum + count, 0);
  process.stderr.write(`${name}: ${total} samples, ${found.size} forms\n`);
  const weight = KERNEL_BOUND.has(name) ? KERNEL_WEIGHT : 1;
  for (const [form, count] of found)
    shares.set(form, (shares.get(form) ?? 0) + (weight * count) / total);
}
const order = [...shares].toSorted((a, b) => b[1] - a[1]).map(([form]) => form);
if (process.argv.includes("--write")) {
  const before = await readFile(ORDER, "utf8");
  await writeFile(
    ORDER,
    before.replace(/(const MEASURED = `\n)[^`]*(`)/u, `$1${order.join("\n")}\n$2`),
  );
} else {
  process.stdout.write(`${order.join("\n")}\n`);
}
