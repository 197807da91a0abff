import { describeStrategy } from "@ringside/conformance/vitest";
import { bare } from "./index.ts";

describeStrategy(bare);
