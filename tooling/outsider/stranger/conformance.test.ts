import { describeStrategy } from "@ringside/conformance/vitest";
import { solo } from "./solo.ts";

describeStrategy(solo);
