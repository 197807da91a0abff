/** The kernels that check themselves, topic by topic. */
import { realMode } from "./real-mode.ts";
import type { Kernel } from "./rom.ts";

export const kernels: readonly Kernel[] = [realMode];
