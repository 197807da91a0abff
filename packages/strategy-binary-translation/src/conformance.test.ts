import { describeStrategy } from "@ringside/conformance/vitest";
import { binaryTranslation } from "./index.ts";

describeStrategy(binaryTranslation);
