import { describeBusybox } from "@ringside/conformance/busybox-node";
import { vtx, vtxShadow } from "./index.ts";

describeBusybox(vtx);
describeBusybox(vtxShadow);
