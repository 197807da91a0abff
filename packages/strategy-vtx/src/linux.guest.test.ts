import { describeLinux } from "@ringside/conformance/linux-node";
import { vtx } from "./index.ts";

describeLinux(vtx, "pvh");
