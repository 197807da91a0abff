/** What `ringside lockstep` does. */
import { defaultProfile } from "@ringside/isa";
import { bare } from "@ringside/strategy-bare";
import { createMachine, kernelGuest } from "../boot/kernel-guest.ts";
import type { LockstepOptions } from "../commands/lockstep.ts";
import { CommandError, STATUS } from "../failure.ts";
import { lockstep, type LockstepProgress } from "../lockstep/lockstep.ts";
import { Qemu } from "../lockstep/qemu.ts";
import { qemuCpu } from "../lockstep/qemu-cpu.ts";
import { differenceReport } from "../lockstep/report.ts";
import { runTo } from "../lockstep/run-to.ts";
import { helperBytes, transplant } from "../lockstep/transplant.ts";
import { progress } from "../terminal.ts";

/** Compares, and says how it went. */
export async function runLockstep(options: LockstepOptions): Promise<void> {
  const guest = await kernelGuest(bare, options);
  const { machine, host } = createMachine(bare, guest, options, {});
  using _ = machine;
  const { debug } = machine;
  if (debug === undefined) throw new Error("Bug in ringside: bare has no debugger, please report.");
  const status = progress();
  try {
    status.update("running up to the beginning");
    await runTo(machine, debug, options);
    await using qemu = await Qemu.start({
      path: options.qemu,
      cpu: options.qemuCpu ?? qemuCpu(options.cpu ?? defaultProfile),
      memoryBytes: guest.memoryBytes + helperBytes,
    });
    status.update("putting the state into QEMU");
    await transplant(
      {
        physical: host.memory.physical,
        memoryBytes: guest.memoryBytes,
        registers: debug.registers(),
        inspect: machine.inspect,
      },
      qemu,
    );
    const onProgress = ({ compared }: LockstepProgress): void =>
      status.update(`${compared.toLocaleString("en-US")} instructions compared`);
    const result = await lockstep(machine, debug, qemu, options.count, onProgress);
    status.stop();
    if (result.outcome === "different") {
      process.stdout.write(differenceReport(result));
      process.exitCode = STATUS.different;
      return;
    }
    if (result.outcome === "ended" && result.exit.reason === "crashed")
      process.stdout.write(`The guest broke its machine: ${result.exit.why}\n`);
    process.stdout.write(
      `${result.compared.toLocaleString("en-US")} instructions compared, ${result.copied} results from outside and ${result.interrupts} interrupts copied: no difference.\n`,
    );
  } catch (error) {
    if (error instanceof Error && error.name === "GdbError")
      throw new CommandError(
        `QEMU's gdb stub: ${error.message.replace(/^\[[^\]]*\] /u, "")}`,
        undefined,
        {
          cause: error,
        },
      );
    throw error;
  } finally {
    status.stop();
  }
}
