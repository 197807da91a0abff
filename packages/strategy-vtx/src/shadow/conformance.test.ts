import { describeStrategy } from "@ringside/conformance/vitest";
import { vtxShadow } from "../index.ts";

describeStrategy(vtxShadow);
