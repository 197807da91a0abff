/** The profiles that come with the contract, the oldest processor first. */
import type { CostProfile } from "../cost-profile.ts";
import { core2, penryn } from "./core-2.ts";
import { haswell } from "./haswell.ts";
import { pentium4 } from "./pentium-4.ts";
import { sandyBridge } from "./sandy-bridge.ts";

export const costProfiles: readonly CostProfile[] = [pentium4, core2, penryn, sandyBridge, haswell];
