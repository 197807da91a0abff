import { describeBusybox } from "@ringside/conformance/busybox-node";
import { paravirt } from "./index.ts";

describeBusybox(paravirt);
