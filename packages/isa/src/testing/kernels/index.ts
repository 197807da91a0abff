/** The kernels that check themselves, topic by topic. */
import { absentFeatures } from "./absent-features.ts";
import { alignment } from "./alignment.ts";
import { debug } from "./debug.ts";
import { exceptionFrames } from "./exception-frames.ts";
import { exceptionPriority } from "./exception-priority.ts";
import { gates } from "./gates.ts";
import { interruptReturn } from "./interrupt-return.ts";
import { longModeActivation } from "./long-mode-activation.ts";
import { longModeGates } from "./long-mode-gates.ts";
import { longModePaging } from "./long-mode-paging.ts";
import { longModeTranslations } from "./long-mode-translations.ts";
import { paging } from "./paging.ts";
import { processContext } from "./process-context.ts";
import { protectedFaults } from "./protected-faults.ts";
import { realMode } from "./real-mode.ts";
import type { Kernel } from "./rom.ts";
import { segmentation } from "./segmentation.ts";
import { shutdowns } from "./shutdown.ts";
import { systemCalls } from "./system-calls.ts";
import { refusedModes, systemRegisters } from "./system-registers.ts";
import { taskSwitch } from "./task-switch.ts";
import { virtual8086Mode } from "./virtual-8086.ts";

export const kernels: readonly Kernel[] = [
  realMode,
  segmentation,
  gates,
  taskSwitch,
  virtual8086Mode,
  debug,
  alignment,
  paging,
  longModeActivation,
  longModePaging,
  longModeTranslations,
  processContext,
  systemCalls,
  systemRegisters,
  refusedModes,
  absentFeatures,
  protectedFaults,
  exceptionPriority,
  exceptionFrames,
  longModeGates,
  interruptReturn,
  ...shutdowns,
];
