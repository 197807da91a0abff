/** One virtual PC on VT-x: a host's processor with VMX, and a guest in its non-root operation. */
import { closedPorts, VirtualPc } from "@ringside/hypervisor";
import { sandyBridge, vmxExtension } from "@ringside/isa-vmx";
import type { KernelMachine, KernelMachineOptions } from "@ringside/strategy";
import { ownFramesOf } from "./own-frames.ts";
import type { PagingKind } from "./paging.ts";
import { VtxCore } from "./vtx-core.ts";

const capabilities = sandyBridge;
/** One for all machines, which then share the compiled interpreter. */
const vmx = vmxExtension({ rootMode: "monitor", capabilities });

export interface VtxMachineOptions extends KernelMachineOptions {
  readonly paging: PagingKind;
}

/**
 * @throws {ImageError} when a file of the guest is malformed or does not fit.
 * @throws {RangeError} when the claim is smaller than `hostBytesFor` says.
 */
export function vtxMachine(options: VtxMachineOptions): KernelMachine {
  const { claim, memoryBytes, paging } = options;
  const frames = ownFramesOf(claim, memoryBytes, paging);
  return new VirtualPc({
    ...options,
    processor: () => ({ ports: closedPorts, extensions: [vmx] }),
    core: (pc) =>
      new VtxCore({ ...options, pc, control: vmx.of(pc.processor), capabilities, frames }),
  });
}
