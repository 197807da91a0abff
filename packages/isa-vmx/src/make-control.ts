/** The VMX instructions as calls: {@link VmxControl} over a processor's VMX. */
import { CR0, slots, type ProcessorState } from "@ringside/isa";
import { ERROR_WORDS, type Outcome } from "./instruction-errors.ts";
import {
  VmxError,
  type EntryFailure,
  type EntryResult,
  type VmxControl,
  type VmxCounts,
} from "./vmx-control.ts";
import { FEATURE_CONTROL_LOCKED, FEATURE_CONTROL_VMX, type VmxOperation } from "./vmx-operation.ts";
import { OPERATION, vmx } from "./vmx-state.ts";

/** What the calls need beside the instructions. */
export interface EnteringProcessor {
  readonly state: ProcessorState;
  readonly revision: number;
  readonly operation: VmxOperation;
  readonly lastEntryFailure: EntryFailure | undefined;
  readonly deadline: number | undefined;
  enter(isLaunch: boolean): EntryResult;
  counts(): VmxCounts;
}

export function makeControl(processor: EnteringProcessor): VmxControl {
  const { state, revision, operation } = processor;
  const require = (outcome: Outcome, what: string): void => {
    if (outcome === "succeed") return;
    const words = ERROR_WORDS[outcome.error] ?? "there is no current VMCS, or the region is wrong";
    throw new VmxError(
      outcome.error,
      `${what} failed with error ${outcome.error}: ${words}. See Intel SDM Vol. 3C §31.4, "VM Instruction Error Numbers".`,
    );
  };
  const requireRoot = (what: string): void => {
    if (operation.operation === OPERATION.ROOT) return;
    const where = operation.operation === OPERATION.NONE ? "outside VMX operation" : "in a guest";
    throw new VmxError(
      0,
      `${what} is not possible: the processor is ${where}. Use it in root operation.`,
    );
  };
  const where = (): VmxControl["operation"] => {
    if (operation.operation === OPERATION.NONE) return "none";
    return operation.operation === OPERATION.ROOT ? "root" : "non-root";
  };
  const region = (): number | undefined => operation.current?.region;
  const failure = (): EntryFailure | undefined => processor.lastEntryFailure;
  const deadline = (): number | undefined => processor.deadline;
  return {
    get operation() {
      return where();
    },
    get currentVmcs() {
      return region();
    },
    get lastEntryFailure() {
      return failure();
    },
    get deadline() {
      return deadline();
    },
    revision,
    vmxon: (region) => {
      if (operation.operation !== OPERATION.NONE)
        throw new VmxError(0, "VMXON is not possible: VMX operation has begun. Use vmxoff first.");
      state.set(vmx.featureControl, FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX);
      // VM entry leaves these to software that runs before any guest, which a monitor in TypeScript stands for.
      state.set(slots.cr0, state.cr0 & ~(CR0.CD | CR0.NW));
      require(operation.vmxon(BigInt(region)), `VMXON of 0x${region.toString(16)}`);
    },
    vmxoff: () => {
      requireRoot("VMXOFF");
      operation.vmxoff();
    },
    vmclear: (region) => {
      requireRoot("VMCLEAR");
      require(operation.vmclear(BigInt(region)), `VMCLEAR of 0x${region.toString(16)}`);
    },
    vmptrld: (region) => {
      requireRoot("VMPTRLD");
      require(operation.vmptrld(BigInt(region)), `VMPTRLD of 0x${region.toString(16)}`);
    },
    vmread: (key) => {
      requireRoot("VMREAD");
      return operation.readField(key);
    },
    vmreadNumber: (key) => {
      requireRoot("VMREAD");
      return operation.readFieldNumber(key);
    },
    vmwrite: (key, value) => {
      requireRoot("VMWRITE");
      const outcome = operation.writeField(key, value);
      if (outcome !== "succeed") require(outcome, `VMWRITE of ${key}`);
    },
    launch: () => {
      requireRoot("VMLAUNCH");
      return processor.enter(true);
    },
    resume: () => {
      requireRoot("VMRESUME");
      return processor.enter(false);
    },
    invept: (type, eptPointer = 0n) => {
      requireRoot("INVEPT");
      require(operation.invept(type === "single-context" ? 1n : 2n, eptPointer), "INVEPT");
    },
    invvpid: (type, vpid = 0, linear = 0n) => {
      requireRoot("INVVPID");
      const types = {
        "individual-address": 0n,
        "single-context": 1n,
        "all-context": 2n,
        "single-context-retaining-globals": 3n,
      } as const;
      require(operation.invvpid(types[type], BigInt(vpid), BigInt.asUintN(64, linear)), "INVVPID");
    },
    counts: () => processor.counts(),
  };
}
