import { describeStrategy } from "@ringside/conformance/vitest";
import { vtx } from "./index.ts";

describeStrategy(vtx);
