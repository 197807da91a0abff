import { describeLinux } from "@ringside/conformance/linux-node";
import { bare } from "./index.ts";

describeLinux(bare, "pvh");
