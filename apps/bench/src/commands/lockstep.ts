/** `ringside lockstep`: the processor beside QEMU's, instruction by instruction. */
import { InvalidArgumentError, type Command } from "commander";
import { parseUnits } from "../sizes.ts";
import { addKernelOptions, type KernelOptions } from "./kernel-options.ts";

export interface LockstepOptions extends Omit<KernelOptions, "strategy"> {
  readonly after: number;
  readonly at?: bigint;
  readonly count: number;
  readonly qemu: string;
  readonly qemuCpu?: string;
}

const COUNT_DEFAULT = 10_000;

export function addLockstep(program: Command): void {
  addKernelOptions(
    program
      .command("lockstep")
      .description(
        "Runs a kernel beside QEMU's processor, one instruction at a time, and stops at the first difference.",
      ),
  )
    .option("--after <units>", "run so many units first, without comparing", parseUnits, 0)
    .option("--at <address>", "then run up to this linear address", parseLinear)
    .option("--count <n>", "how many instructions are compared", parseUnits, COUNT_DEFAULT)
    .option("--qemu <program>", "QEMU", "qemu-system-x86_64")
    .option("--qemu-cpu <model>", "its processor, as its -cpu takes it (default: that of --cpu)")
    .addHelpText(
      "after",
      `
The guest runs on bare; when it gets to the beginning, its whole state is put into a QEMU without devices, and both go
on. What comes from outside (ports, devices, the time, CPUID, interrupts) is copied to QEMU and counted.
Exit status: 0 when nothing differed, 1 at a difference, 125 when ringside itself fails.

Example:
  $ ringside lockstep --kernel guests/vmlinuz-cloud-amd64 --initrd guests/initrd-cloud-amd64 --after 100M --count 20000`,
    )
    .action(async (options: LockstepOptions) => {
      const { runLockstep } = await import("../actions/lockstep.ts");
      await runLockstep(options);
    });
}

/** @throws {InvalidArgumentError} No address. */
export function parseLinear(text: string): bigint {
  if (!/^0x[0-9a-f]{1,16}$/iu.test(text))
    throw new InvalidArgumentError("Give an address such as 0xffffffff81000000.");
  return BigInt(text);
}
