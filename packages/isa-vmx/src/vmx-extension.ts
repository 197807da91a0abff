/** The extension: what the processor is given. */
import type { Processor, ProcessorExtension, ProcessorState } from "@ringside/isa";
import { sandyBridge, type VmxCapabilities } from "./capabilities.ts";
import { eptWalk } from "./ept.ts";
import { vmxInstructions } from "./instructions.ts";
import { interceptOf } from "./intercepts.ts";
import type { VmxControl } from "./vmx-control.ts";
import type { RootMode } from "./vmx-parts.ts";
import { VmxProcessor } from "./vmx-processor.ts";
import { STATE_BYTES } from "./vmx-state.ts";

export interface VmxOptions {
  /**
   * Where VM exits go: to the host state of the VMCS, or to the caller of `Processor.run`. Default `architectural`.
   */
  readonly rootMode?: RootMode;
  /** Default {@link sandyBridge}. */
  readonly capabilities?: VmxCapabilities;
}

/** VMX for processors. One value can serve several of them, which then share compiled code. */
export interface VmxExtension extends ProcessorExtension {
  readonly id: "vmx";
  readonly rootMode: RootMode;
  readonly capabilities: VmxCapabilities;
  /**
   * VMX of a processor that was made with this extension.
   *
   * @throws {RangeError} The processor was not.
   */
  of(processor: Processor): VmxControl;
}

/** Makes the extension. */
export function vmxExtension(options: VmxOptions = {}): VmxExtension {
  const { rootMode = "architectural", capabilities = sandyBridge } = options;
  const controls = new WeakMap<ProcessorState, VmxControl>();
  return {
    id: "vmx",
    rootMode,
    capabilities,
    features: ["vmx"],
    instructions: vmxInstructions({
      ept: capabilities.ept !== undefined,
      vpid: capabilities.vpid,
    }),
    intercept: interceptOf,
    ...(capabilities.ept === undefined ? {} : { secondStage: eptWalk }),
    stateBytes: STATE_BYTES,
    attach(context) {
      const processor = new VmxProcessor(context, capabilities, rootMode);
      controls.set(context.state, processor.control);
      return processor.hooks;
    },
    of(processor) {
      const control = controls.get(processor.state);
      if (control === undefined)
        throw new RangeError(
          "This processor has no VMX of this extension. Give the extension to its constructor.",
        );
      return control;
    },
  };
}
