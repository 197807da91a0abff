import { describeBusybox } from "@ringside/conformance/busybox-node";
import { binaryTranslation } from "./index.ts";

describeBusybox(binaryTranslation);
