import { describeBusybox } from "@ringside/conformance/busybox-node";
import { bare } from "./index.ts";

describeBusybox(bare);
