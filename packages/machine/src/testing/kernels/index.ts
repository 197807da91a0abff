/** The kernels that check what is around the processor, topic by topic. */
import type { Kernel } from "@ringside/isa/testing";
import { apicTimer } from "./apic-timer.ts";
import { arrival } from "./arrival.ts";
import { ioApic } from "./io-apic.ts";
import { localApicCommands } from "./local-apic-commands.ts";
import { localApic } from "./local-apic.ts";
import { pic } from "./pic.ts";
import { pit } from "./pit.ts";
import { x2Apic } from "./x2apic.ts";

export const boardKernels: readonly Kernel[] = [
  arrival,
  localApic,
  localApicCommands,
  apicTimer,
  x2Apic,
  ioApic,
  pic,
  pit,
];
