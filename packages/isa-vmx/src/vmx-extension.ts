/** The extension: what the processor is given. */
import type { Processor, ProcessorExtension } from "@ringside/isa";
import { sandyBridge, type VmxCapabilities } from "./capabilities.ts";
import type { VmxControl } from "./vmx-control.ts";

export type RootMode = "architectural" | "monitor";

export interface VmxOptions {
  readonly rootMode?: RootMode;
  readonly capabilities?: VmxCapabilities;
}

export interface VmxExtension extends ProcessorExtension {
  of(processor: Processor): VmxControl;
}

export function vmxExtension(options: VmxOptions = {}): VmxExtension {
  const { capabilities = sandyBridge } = options;
  throw new RangeError(`VMX of ${capabilities.id} is being written.`);
}
