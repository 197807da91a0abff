import { describeStrategy } from "@ringside/conformance/vitest";
import { paravirt } from "./index.ts";

describeStrategy(paravirt);
