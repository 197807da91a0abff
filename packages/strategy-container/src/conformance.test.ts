import { describeStrategy } from "@ringside/conformance/vitest";
import { container } from "./index.ts";

describeStrategy(container);
