/** What a kernel saves that gathers its changes of page tables into lists. */
import { tinyProgram } from "@ringside/conformance";
import { kernelXenImage, programInitrd } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { expect, test } from "vitest";
import { paravirt } from "./index.ts";

const PAGES = 512;
const FORKS = 10;

/** Writes to {@link PAGES} pages, then forks `forks` times and waits for each child, which ends at once. */
const forks = (count: number): Uint8Array =>
  tinyProgram(`
      mov eax, 9
      xor edi, edi
      mov esi, ${PAGES * 4096}
      mov edx, 3
      mov r10d, 0x22
      mov r8, -1
      xor r9d, r9d
      syscall
      mov ecx, ${PAGES}
    touch:
      mov [rax], rax
      add rax, 4096
      dec ecx
      jnz touch
      mov r13d, ${count}
    again:
      test r13d, r13d
      jz done
      mov eax, 57
      syscall
      test eax, eax
      jz done
      mov edi, eax
      mov eax, 61
      xor esi, esi
      xor edx, edx
      xor r10d, r10d
      syscall
      dec r13d
      jmp again
    done:
      mov eax, 60
      xor edi, edi
      syscall
  `);

/** All hypercalls but the returns from traps, which no kernel can gather. */
function hypercalls(count: number, commandLine: string): number {
  const files = [{ path: "/bin/program", mode: 0o755, data: forks(count) }];
  const initrd = programInitrd({ argv: ["/bin/program"], env: [], files });
  const host = Host.create({ memoryBytes: 128 * 1024 * 1024 });
  using vm = paravirt.create(host, {
    kind: "kernel",
    format: "xen-pv",
    image: kernelXenImage(),
    commandLine,
    initrd,
    memoryBytes: 64 * 1024 * 1024,
  });
  vm.input.end();
  expect(vm.run(1_000_000_000)).toEqual({ reason: "halted", value: 0 });
  const counts = vm.counts()["hypercalls"];
  if (typeof counts !== "object") throw new Error("paravirt counts its hypercalls");
  return Object.entries(counts).reduce(
    (sum, [name, value]) => (name === "iret" ? sum : sum + Number(value)),
    0,
  );
}

test("lists cut the hypercalls of a fork of 2 MiB at least 50-fold", () => {
  const perFork = (commandLine: string): number =>
    (hypercalls(1 + FORKS, commandLine) - hypercalls(1, commandLine)) / FORKS;
  const [gathered, single] = [perFork("quiet"), perFork("quiet nobatch")];
  expect(gathered).toBeGreaterThan(0);
  expect(single / gathered).toBeGreaterThanOrEqual(50);
});
