import { describeLinux } from "@ringside/conformance/linux-node";
import { vtx, vtxShadow } from "./index.ts";

describeLinux(vtx, "pvh");
// Shadow page tables are for guests that never leave IA-32e mode: by the 64-bit entry.
describeLinux(vtxShadow, "bzimage");
