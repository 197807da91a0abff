/**
 * VMX operation of one processor: which there is, the current VMCS, and all VMX instructions but VM entry.
 *
 * Intel SDM Vol. 3C §24.7, "Enabling and Entering VMX Operation"; §31.3, "VMX Instructions".
 */
import { isCanonical, slots, type ExtensionContext } from "@ringside/isa";
import {
  capabilityMsrs,
  CAPABILITY_MSR,
  CR0_FIXED,
  cr4Fixed,
  type VmxCapabilities,
} from "./capabilities.ts";
import { fieldOf, findField, type FieldKey, type VmcsField } from "./fields.ts";
import { isFixed } from "./host-checks.ts";
import { ERROR, FAIL_INVALID, type Outcome } from "./instruction-errors.ts";
import { ANSWER } from "./instructions.ts";
import { GuardedMemory, revisionAt, setClear, Vmcs } from "./vmcs.ts";
import { VmxError } from "./vmx-control.ts";
import { NO_POINTER, OPERATION, vmx } from "./vmx-state.ts";

export const FEATURE_CONTROL_LOCKED = 1n;
export const FEATURE_CONTROL_VMX = 4n;
/** Tags of the TLB: the VPID, and above it one more than the frame of the EPT's root. */
export const TAG_VPIDS = 0x1_0000;
/** The low half of {@link NO_POINTER}; no region begins there. */
const NO_REGION = 0xffff_ffff;

export class VmxOperation {
  readonly memory: GuardedMemory;
  /** VMREADs and VMWRITEs so far. */
  vmreads = 0;
  vmwrites = 0;
  readonly #context: ExtensionContext;
  readonly #capabilities: VmxCapabilities;
  #capabilityMsrs: ReadonlyMap<number, bigint> | undefined;
  /** The current VMCS as an object, kept while it is the same. */
  #vmcs: Vmcs | undefined;

  constructor(context: ExtensionContext, capabilities: VmxCapabilities) {
    this.#context = context;
    this.#capabilities = capabilities;
    this.memory = new GuardedMemory(context.memory);
  }

  /** A value of OPERATION. */
  get operation(): number {
    return this.#context.state.getNumber(vmx.operation);
  }

  get current(): Vmcs | undefined {
    if (this.operation === OPERATION.NONE) return undefined;
    // VMPTRLD takes regions of RAM only, so that the low half says it all.
    const region = this.#context.state.getNumber(vmx.currentVmcs);
    if (region === NO_REGION) return undefined;
    if (this.#vmcs?.region !== region) this.#vmcs = new Vmcs(this.memory.physical, region);
    return this.#vmcs;
  }

  /** Whether a region may lie there: aligned, and within the physical-address width. */
  isRegion(physical: bigint): boolean {
    const reserved = this.physicalReserved;
    return physical % 0x1000n === 0n && (physical & reserved) === 0n;
  }

  get physicalReserved(): bigint {
    return this.#context.state.get(slots.physicalReserved) | 0xfff0_0000_0000_0000n;
  }

  vmxon(pointer: bigint): Outcome {
    const { state } = this.#context;
    if (this.operation === OPERATION.ROOT) return this.fail(ERROR.VMXON_IN_ROOT);
    if (!this.isRegion(pointer)) return FAIL_INVALID;
    if (this.memory.readU32(Number(pointer)) !== this.#capabilities.revision) return FAIL_INVALID;
    state.setNumber(vmx.operation, OPERATION.ROOT);
    state.set(vmx.vmxonPointer, pointer);
    state.set(vmx.currentVmcs, NO_POINTER);
    return "succeed";
  }

  vmxoff(): Outcome {
    const { state } = this.#context;
    state.setNumber(vmx.operation, OPERATION.NONE);
    state.set(vmx.currentVmcs, NO_POINTER);
    return "succeed";
  }

  vmclear(pointer: bigint): Outcome {
    const { state } = this.#context;
    if (!this.isRegion(pointer)) return this.fail(ERROR.VMCLEAR_ADDRESS);
    if (pointer === state.get(vmx.vmxonPointer)) return this.fail(ERROR.VMCLEAR_VMXON_POINTER);
    setClear(this.memory, Number(pointer));
    if (pointer === state.get(vmx.currentVmcs)) state.set(vmx.currentVmcs, NO_POINTER);
    return "succeed";
  }

  vmptrld(pointer: bigint): Outcome {
    const { state } = this.#context;
    if (!this.isRegion(pointer)) return this.fail(ERROR.VMPTRLD_ADDRESS);
    if (pointer === state.get(vmx.vmxonPointer)) return this.fail(ERROR.VMPTRLD_VMXON_POINTER);
    // Bit 31 would say that it is a shadow VMCS, which there are none of.
    if (revisionAt(this.memory, Number(pointer)) !== this.#capabilities.revision)
      return this.fail(ERROR.VMPTRLD_REVISION);
    state.set(vmx.currentVmcs, pointer);
    return "succeed";
  }

  #field(encoding: bigint): VmcsField | undefined {
    return encoding > 0xffff_ffffn ? undefined : findField(Number(encoding));
  }

  vmread(encoding: bigint): Outcome {
    this.vmreads += 1;
    const vmcs = this.current;
    if (vmcs === undefined) return FAIL_INVALID;
    const field = this.#field(encoding);
    if (field === undefined) return this.fail(ERROR.UNSUPPORTED_FIELD);
    const value = vmcs.read(field);
    const isHigh = (encoding & 1n) !== 0n;
    this.#context.state.set(vmx.result, isHigh ? value >> 32n : value);
    return "succeed";
  }

  vmwrite(encoding: bigint, value: bigint, isNarrow: boolean): Outcome {
    this.vmwrites += 1;
    const vmcs = this.current;
    if (vmcs === undefined) return FAIL_INVALID;
    const field = this.#field(encoding);
    if (field === undefined) return this.fail(ERROR.UNSUPPORTED_FIELD);
    if (field.access === "read-only") return this.fail(ERROR.READ_ONLY_FIELD);
    const low = value & 0xffff_ffffn;
    if ((encoding & 1n) !== 0n) vmcs.write(field, (vmcs.read(field) & 0xffff_ffffn) | (low << 32n));
    else if (isNarrow && field.width === 64)
      vmcs.write(field, (vmcs.read(field) & ~0xffff_ffffn) | low);
    else vmcs.write(field, value);
    return "succeed";
  }

  invept(type: bigint, pointer: bigint): Outcome {
    if (type !== 1n && type !== 2n) return this.fail(ERROR.INVALID_OPERAND);
    if (type === 1n && !this.#isEptPointer(pointer)) return this.fail(ERROR.INVALID_OPERAND);
    const root = Number(pointer >> 12n) + 1;
    const matches = (tag: number): boolean =>
      type === 2n ? tag >= TAG_VPIDS : Math.floor(tag / TAG_VPIDS) === root;
    this.#context.flushTlbs(matches);
    return "succeed";
  }

  /** Whether VM entry would accept an EPTP. */
  #isEptPointer(pointer: bigint): boolean {
    const hasFlags = this.#capabilities.ept?.accessedDirty === true;
    const type = pointer & 7n;
    return (
      (type === 0n || type === 6n) &&
      ((pointer >> 3n) & 7n) === 3n &&
      (hasFlags || (pointer & 0x40n) === 0n) &&
      (pointer & 0xf80n) === 0n &&
      (pointer & this.physicalReserved) === 0n
    );
  }

  invvpid(type: bigint, descriptor: bigint, linear: bigint): Outcome {
    if (type > 3n) return this.fail(ERROR.INVALID_OPERAND);
    if (descriptor >> 16n !== 0n) return this.fail(ERROR.INVALID_OPERAND);
    const vpid = Number(descriptor);
    if (type !== 2n && vpid === 0) return this.fail(ERROR.INVALID_OPERAND);
    if (type === 0n && !isCanonical(linear)) return this.fail(ERROR.INVALID_OPERAND);
    const selected = this.#context.selectedTlb();
    const isOf = (tag: number): boolean => tag % TAG_VPIDS === vpid;
    if (type === 2n) this.#context.flushTlbs((tag) => tag !== 0);
    else if (type === 1n) this.#context.flushTlbs(isOf);
    else {
      // Other contexts of the VPID lose more than was asked for, which is allowed.
      this.#context.flushTlbs((tag) => tag !== selected && isOf(tag));
      if (!isOf(selected)) return "succeed";
      if (type === 0n) this.#context.invalidatePage(linear);
      else this.#context.flushTlb(selected, false);
    }
    return "succeed";
  }

  /** VMfailValid where there is a current VMCS, else VMfailInvalid. */
  fail(error: number): Outcome {
    const vmcs = this.current;
    if (vmcs === undefined) return FAIL_INVALID;
    vmcs.set("VM_INSTRUCTION_ERROR", error);
    return { error };
  }

  answer(outcome: Outcome): number {
    if (outcome === "succeed") return ANSWER.SUCCEED;
    return outcome.error === 0 ? ANSWER.FAIL_INVALID : ANSWER.FAIL_VALID;
  }

  /** Intel SDM Vol. 3C §24.7, "Enabling and Entering VMX Operation". */
  isVmxonForbidden(): boolean {
    const { state } = this.#context;
    if (this.operation !== OPERATION.NONE) return false;
    const wanted = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX;
    return (
      !isFixed(state.cr0, CR0_FIXED) ||
      !isFixed(state.cr4, cr4Fixed(state.get(slots.cr4Allowed))) ||
      (state.get(vmx.featureControl) & wanted) !== wanted
    );
  }

  readMsr(index: number): bigint | undefined {
    const { state } = this.#context;
    if (index === CAPABILITY_MSR.FEATURE_CONTROL) return state.get(vmx.featureControl);
    this.#capabilityMsrs ??= capabilityMsrs(this.#capabilities, state.get(slots.cr4Allowed));
    return this.#capabilityMsrs.get(index);
  }

  writeMsr(index: number, value: bigint): boolean | undefined {
    const { state } = this.#context;
    if (index !== CAPABILITY_MSR.FEATURE_CONTROL)
      return this.readMsr(index) === undefined ? undefined : false;
    const isLocked = (state.get(vmx.featureControl) & FEATURE_CONTROL_LOCKED) !== 0n;
    if (isLocked || (value & ~(FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX)) !== 0n) return false;
    state.set(vmx.featureControl, value);
    return true;
  }

  /** VMREAD for TypeScript. @throws {VmxError} There is no current VMCS. */
  readField(key: FieldKey): bigint {
    return this.#counted(key).get(key);
  }

  /** The same as a number: exact below 2^53. @throws {VmxError} There is no current VMCS. */
  readFieldNumber(key: FieldKey): number {
    return this.#counted(key).wideNumber(fieldOf(key));
  }

  #counted(key: FieldKey): Vmcs {
    const vmcs = this.current;
    if (vmcs === undefined)
      throw new VmxError(
        0,
        `VMREAD of ${key} failed: there is no current VMCS. Use vmptrld first.`,
      );
    this.vmreads += 1;
    return vmcs;
  }

  /** VMWRITE for TypeScript. */
  writeField(key: FieldKey, value: bigint | number): Outcome {
    this.vmwrites += 1;
    const vmcs = this.current;
    if (vmcs === undefined) return FAIL_INVALID;
    const field = fieldOf(key);
    if (field.access === "read-only") return this.fail(ERROR.READ_ONLY_FIELD);
    vmcs.write(field, value);
    return "succeed";
  }
}
