import { describeLinux } from "@ringside/conformance/linux-node";
import { binaryTranslation } from "./index.ts";

// Only 64-bit code is translated: by the 64-bit entry.
describeLinux(binaryTranslation, "bzimage");
