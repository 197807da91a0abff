/**
 * A virtual processor: processor state that is not running anywhere, with the services that hypervisors need on it.
 *
 * Everything comes from the rows and routines that the processor itself runs, emitted over accessors instead of the
 * TLB. So a hypervisor decodes nothing by hand: it emulates the instruction that trapped, delivers the event that its
 * guest is to see, or walks the guest's page tables, and each use is counted.
 */
import { isDecodeFault } from "../decoder/decoded.ts";
import { escalate } from "../exceptions/escalate.ts";
import { EVENT } from "../exceptions/event.ts";
import { decodeMonitorEvent, type MonitorEvent } from "../exceptions/monitor.ts";
import { VECTOR } from "../exceptions/vectors.ts";
import { KEPT_BYTES, KEPT_OFFSET } from "../interpreter/accessor-memory.ts";
import { CONTROL, LEFT } from "../interpreter/dispatch-function.ts";
import {
  boundFloatingPoint,
  compile,
  Engine,
  helperContext,
  stateEngine,
  takeFault,
  type BoundHelper,
  type Compiled,
  type WasmFunction,
} from "../interpreter/engine.ts";
import {
  ENGINE,
  FIXED_RECORDS,
  FRAME_BYTES,
  INSTRUCTION_BYTES_MAXIMUM,
  RECORD,
  WASM_PAGE_BYTES,
} from "../interpreter/layout.ts";
import { RecordWriter } from "../interpreter/record-writer.ts";
import { taskHelper, takePendingFault } from "../interpreter/task-helper.ts";
import { ACCESS_EXECUTE, ACCESS_USER, ACCESS_WRITE } from "../paging/tag.ts";
import { defaultProfile, type ProcessorProfile } from "../profile/profile.ts";
import { resetRegisters } from "../profile/reset.ts";
import { systemHelpers } from "../profile/system-helpers.ts";
import { MTRR_BYTES, MTRR_OFFSET, slots } from "../state/layout.ts";
import { ProcessorState } from "../state/processor-state.ts";

/** What a virtual processor reaches. Physical addresses are the guest's, as safe integers. */
export interface VirtualAccessors {
  /** Fills `bytes` from physical memory or a device; 1 to 16 of them, inside one page. */
  readPhysical(physical: number, bytes: Uint8Array): void;
  writePhysical(physical: number, bytes: Uint8Array): void;
  readPort(port: number, sizeBytes: 1 | 2 | 4): number;
  writePort(port: number, sizeBytes: 1 | 2 | 4, value: number): void;
  /** CR8. */
  readTaskPriority(): number;
  writeTaskPriority(priority: number): void;
  /** INVLPG and INVPCID were executed for this address, or the TLB was flushed: caches made from page tables are stale. */
  invalidatePage(linear: bigint): void;
  flushTlb(includingGlobal: boolean): void;
  /** Machine time for RDTSC, in units. */
  now(): number;
  /** Registers outside the core (APIC base, a hypervisor's own); undefined for those that the core has. */
  readMsr?(index: number): bigint | undefined;
  writeMsr?(index: number, value: bigint): boolean | undefined;
}

export interface VirtualProcessorOptions {
  readonly accessors: VirtualAccessors;
  readonly profile?: ProcessorProfile;
  /** As for a processor: `monitor` makes INT n, SYSCALL and call gates values instead of deliveries. */
  readonly delivery?: "architectural" | "monitor";
  /**
   * Whether translations of linear addresses are kept from one call to the next, as a TLB keeps them: for a caller who gets
   * to know each INVLPG and load of a control register that its guest executes elsewhere, and calls
   * {@link VirtualProcessor.forgetTranslations}. Else they are kept within a call.
   */
  readonly keepsTranslations?: boolean;
}

/** What one emulated instruction did. */
export type Emulation =
  | { readonly kind: "retired"; readonly mnemonic: string; readonly lengthBytes: number }
  /** It raised an exception; the state is as before it, or, when a task switch did, that of the new task. Deliver it, or handle it. */
  | {
      readonly kind: "fault";
      readonly vector: number;
      readonly errorCode: number | undefined;
      readonly linear: bigint;
    }
  | { readonly kind: "event"; readonly event: MonitorEvent };

/** An event to be delivered to the guest. */
export interface VirtualEvent {
  readonly vector: number;
  readonly kind: "external" | "nmi" | "software" | "exception";
  readonly errorCode?: number;
  /** Page faults: what CR2 becomes. */
  readonly linear?: bigint;
}

/** What a delivery came to. */
export type DeliveryResult =
  | { readonly kind: "delivered"; readonly vector: number }
  | { readonly kind: "shutdown"; readonly why: string };

/** A translation, or the page fault that the access gives. */
export type WalkResult =
  | { readonly kind: "translated"; readonly physical: number; readonly writable: boolean }
  | { readonly kind: "fault"; readonly vector: number; readonly errorCode: number | undefined };

const BLOCK = 0x1000;
const RECORDS = 0x8000;
const BLOCK_BYTES = MTRR_OFFSET + MTRR_BYTES;
const EVENT_KINDS = {
  external: EVENT.EXTERNAL,
  nmi: EVENT.EXTERNAL,
  software: EVENT.SOFTWARE,
  exception: EVENT.EXCEPTION,
} as const;

/** A fetch beyond the limit of CS. Intel SDM Vol. 3A §5.3, "Limit Checking". */
const LIMIT_FAULT = { kind: "fault", vector: VECTOR.GP, errorCode: 0, linear: 0n } as const;

/** Code at RIP, up to 15 bytes. */
interface Fetched {
  readonly kind: "bytes";
  readonly linear: bigint;
  readonly bytes: Uint8Array;
  /** What fetching further gives. */
  readonly fault: Extract<Emulation, { kind: "fault" }> | undefined;
}

export class VirtualProcessor {
  readonly state: ProcessorState;
  readonly profile: ProcessorProfile;
  readonly #accessors: VirtualAccessors;
  readonly #keepsTranslations: boolean;
  readonly #compiled: Compiled;
  readonly #engine: Engine;
  readonly #function: (name: string) => WasmFunction;
  readonly #writer: RecordWriter;
  readonly #u8: Uint8Array;
  readonly #emulated = new Map<string, number>();
  readonly #delivered = new Map<number, number>();
  #walks = 0;

  constructor(options: VirtualProcessorOptions) {
    const { accessors } = options;
    this.profile = options.profile ?? defaultProfile;
    this.#accessors = accessors;
    this.#keepsTranslations = options.keepsTranslations ?? false;
    this.#compiled = compile(this.profile, "accessors");
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    this.#u8 = new Uint8Array(memory.buffer, 0, WASM_PAGE_BYTES);
    this.#writer = new RecordWriter(memory.buffer, this.#compiled.interpreter);
    this.#writer.control(FIXED_RECORDS.decode, CONTROL.fixedDecode, 0);
    const context = helperContext(memory.buffer, BLOCK, () => this.state);
    const wide = this.#u8.subarray(
      BLOCK + ENGINE.wideScratch.offset,
      BLOCK + ENGINE.wideScratch.offset + 16,
    );
    const system = systemHelpers({
      state: {
        get: (slot) => this.state.get(slot),
        set: (slot, value) => this.state.set(slot, value),
      },
      profile: this.profile,
      now: () => BigInt(accessors.now()),
      flushTlb: () => accessors.flushTlb(true),
      foreignMsrs: [
        {
          read: (index) => accessors.readMsr?.(index),
          write: (index, value) => accessors.writeMsr?.(index, value),
        },
      ],
      apicId: 0,
    });
    const helpers: Readonly<Record<string, BoundHelper>> = {
      ...boundFloatingPoint(context),
      physicalLoad: (low = 0, high = 0, bytes = 0) =>
        accessors.readPhysical(physicalOf(low, high), wide.subarray(0, bytes)),
      physicalStore: (low = 0, high = 0, bytes = 0) =>
        accessors.writePhysical(physicalOf(low, high), wide.slice(0, bytes)),
      mark: () => 0,
      portRead: (port = 0, bytes = 0) => accessors.readPort(port & 0xffff, portSize(bytes)),
      portWrite: (port = 0, bytes = 0, value = 0) =>
        accessors.writePort(port & 0xffff, portSize(bytes), value >>> 0),
      // Breakpoints are met by processors that run code.
      debugRegisters: () => 0,
      readTaskPriority: () => accessors.readTaskPriority(),
      writeTaskPriority: (priority = 0) => accessors.writeTaskPriority(priority),
      flushTlb: (includingGlobal = 0) => {
        this.forgetTranslations();
        accessors.flushTlb(includingGlobal !== 0);
      },
      switchTask: taskHelper({
        functionOf: (name) => this.#function(name),
        base: BLOCK,
        state: () => this.state,
        flushTlb: (includingGlobal) => {
          this.forgetTranslations();
          accessors.flushTlb(includingGlobal);
        },
        readDebugRegisters: () => undefined,
        raise: (exception, errorCode) => context.raise(exception, errorCode),
      }),
      invalidatePage: () => {
        this.forgetTranslations();
        accessors.invalidatePage(this.state.get(slots.scratch0));
      },
      cpuid: () => system.cpuid(),
      readMsr: (index = 0) => system.readMsr(index),
      writeMsr: (index = 0) => system.writeMsr(index),
      readTimestamp: () => system.readTimestamp(),
    };
    this.#engine = new Engine(this.#compiled.interpreter, memory, (name) => {
      const helper = helpers[name];
      if (helper === undefined)
        throw new RangeError(`Bug in ringside: no helper is called ${name}, please report.`);
      return helper;
    });
    this.#function = (name) => this.#engine.function(name);
    this.state = new ProcessorState(
      memory.buffer,
      BLOCK,
      BLOCK_BYTES,
      stateEngine(
        this.#function,
        BLOCK,
        () => this.state,
        () => {
          this.forgetTranslations();
          accessors.flushTlb(true);
        },
      ),
    );
    this.state.set(slots.flagsSystem, 2n);
    this.state.setNumber(slots.monitorDelivery, options.delivery === "monitor" ? 1 : 0);
    resetRegisters(this.state, this.profile);
    this.#function("updateMode")(BLOCK);
  }

  /** How many instructions were emulated, by mnemonic. */
  get emulated(): ReadonlyMap<string, number> {
    return this.#emulated;
  }

  /** How many events {@link deliver} was asked for, by vector. */
  get delivered(): ReadonlyMap<number, number> {
    return this.#delivered;
  }

  /** How often {@link walk} was called. */
  get walks(): number {
    return this.#walks;
  }

  /** Linear addresses may be translated otherwise from now on. */
  forgetTranslations(): void {
    this.#u8.fill(0, BLOCK + KEPT_OFFSET, BLOCK + KEPT_OFFSET + KEPT_BYTES);
  }

  /**
   * Executes the one instruction at RIP: an iteration of it, when it has a REP prefix.
   *
   * @param code Its bytes, for a caller who has fetched them before and knows that they still stand; else they are fetched here.
   */
  emulateOne(code?: Uint8Array): Emulation {
    const { state } = this;
    if (!this.#keepsTranslations) this.forgetTranslations();
    const mode = state.mode;
    if (mode !== 16 && mode !== 32 && mode !== 64)
      throw new RangeError(`Bug in ringside: code of ${mode} bits, please report.`);
    const fetched = code === undefined ? this.#fetch() : this.#given(code);
    if (fetched.kind === "fault") return fetched;
    const decoded = this.#compiled.decoder.decode(fetched.bytes, 0, fetched.bytes.length, { mode });
    if (isDecodeFault(decoded)) {
      if (decoded.fault === "more" && fetched.fault !== undefined) return fetched.fault;
      const vector = decoded.fault === "UD" ? VECTOR.UD : VECTOR.GP;
      return { kind: "fault", vector, errorCode: vector === VECTOR.GP ? 0 : undefined, linear: 0n };
    }
    if (this.#isBeyondLimit(decoded.lengthBytes)) return LIMIT_FAULT;
    const { mnemonic } = decoded.form.instruction;
    this.#emulated.set(mnemonic, (this.#emulated.get(mnemonic) ?? 0) + 1);

    const offset = Number(fetched.linear & 0xfffn);
    state.set(slots.codePageRip, BigInt.asUintN(64, state.rip - BigInt(offset)));
    const after = this.#writer.instruction(RECORDS, offset, decoded);
    this.#writer.control(after, CONTROL.decode, offset + decoded.lengthBytes);
    const left = this.#execute();
    if (left === LEFT.fault) return this.#fault();
    const met = takePendingFault(state);
    if (met !== undefined)
      return {
        kind: "fault",
        ...met,
        linear: met.vector === VECTOR.PF ? state.get(slots.faultLinear) : 0n,
      };
    const eventCode = state.getNumber(slots.monitorEvent);
    if (eventCode !== 0) {
      state.setNumber(slots.monitorEvent, 0);
      const event = decodeMonitorEvent(eventCode, state.getNumber(slots.monitorVector));
      if (event !== undefined) return { kind: "event", event };
    }
    return { kind: "retired", mnemonic, lengthBytes: decoded.lengthBytes };
  }

  /** Executes the record, after making its dispatch function when this is the first instruction that needs it. */
  #execute(): number {
    const { state } = this;
    for (;;) {
      state.setNumber(slots.remaining, 1);
      state.setNumber(slots.remainingAtRing, 1);
      const left = this.#function("execute")(BLOCK, RECORDS, 1);
      if (left !== LEFT.handler) return left;
      const record = state.getNumber(ENGINE.currentRecord);
      this.#engine.loadHandler(
        new DataView(this.#u8.buffer).getUint16(record + RECORD.handler.offset, true),
      );
    }
  }

  #fault(): Extract<Emulation, { kind: "fault" }> {
    const { vector, errorCode } = takeFault(this.state);
    return {
      kind: "fault",
      vector,
      errorCode,
      linear: vector === VECTOR.PF ? this.state.get(slots.faultLinear) : 0n,
    };
  }

  /** Up to 15 bytes from RIP: from the next page too, unless fetching there faults. */
  #fetch(): Fetched | Extract<Emulation, { kind: "fault" }> {
    if (this.#isBeyondLimit(1)) return LIMIT_FAULT;
    const linear = this.#codeLinear();
    const here = Math.min(INSTRUCTION_BYTES_MAXIMUM, FRAME_BYTES - Number(linear & 0xfffn));
    const first = this.#fetchPhysical(linear);
    if (typeof first !== "number") return first;
    const bytes = new Uint8Array(INSTRUCTION_BYTES_MAXIMUM);
    this.#accessors.readPhysical(first, bytes.subarray(0, here));
    if (here === INSTRUCTION_BYTES_MAXIMUM)
      return { kind: "bytes", linear, bytes, fault: undefined };
    const second = this.#fetchPhysical(BigInt.asUintN(64, linear + BigInt(here)));
    if (typeof second !== "number")
      return { kind: "bytes", linear, bytes: bytes.subarray(0, here), fault: second };
    this.#accessors.readPhysical(second, bytes.subarray(here));
    return { kind: "bytes", linear, bytes, fault: undefined };
  }

  #given(bytes: Uint8Array): Fetched {
    return { kind: "bytes", linear: this.#codeLinear(), bytes, fault: undefined };
  }

  /** Linear address of RIP. */
  #codeLinear(): bigint {
    const { state } = this;
    const base = state.mode === 64 ? 0n : state.segment("cs").base;
    return BigInt.asUintN(state.mode === 64 ? 64 : 32, state.rip + base);
  }

  /** Whether CS ends before the first `lengthBytes` bytes from RIP do. */
  #isBeyondLimit(lengthBytes: number): boolean {
    const { state } = this;
    const last = state.rip + BigInt(lengthBytes - 1);
    return state.mode !== 64 && last > BigInt(state.segment("cs").limit);
  }

  #fetchPhysical(linear: bigint): number | Extract<Emulation, { kind: "fault" }> {
    this.state.set(slots.scratch0, linear);
    this.#function("translateFetch")(BLOCK);
    if (this.state.getNumber(slots.faultVector) !== 0) return this.#fault();
    return Number(this.state.get(slots.scratch1));
  }

  /** Delivers an event through the guest's own tables, escalating as the processor does. */
  deliver(event: VirtualEvent): DeliveryResult {
    const { state } = this;
    if (!this.#keepsTranslations) this.forgetTranslations();
    this.#delivered.set(event.vector, (this.#delivered.get(event.vector) ?? 0) + 1);
    let next: {
      readonly vector: number;
      readonly kind: number;
      readonly errorCode: number | undefined;
    } = {
      vector: event.vector,
      kind: EVENT_KINDS[event.kind],
      errorCode: event.errorCode,
    };
    let first = event.kind === "exception" ? event.vector : undefined;
    if (event.linear !== undefined) state.set(slots.faultLinear, event.linear);
    if (event.kind === "nmi") state.setNumber(slots.nmiBlocked, 1);
    state.setNumber(slots.halted, 0);
    for (;;) {
      const pushes = next.errorCode !== undefined;
      this.#function("deliver")(
        BLOCK,
        BigInt(next.vector),
        BigInt(next.kind),
        pushes ? 1n : 0n,
        BigInt(next.errorCode ?? 0),
      );
      if (state.getNumber(slots.faultVector) === 0) {
        // A task gate may have led to a task that cannot go on: the exception is its own.
        const met = takePendingFault(state);
        if (met === undefined) return { kind: "delivered", vector: next.vector };
        first = met.vector;
        next = { ...met, kind: EVENT.EXCEPTION };
        continue;
      }
      const second = takeFault(state);
      const escalation = escalate(first, second.vector);
      if (escalation === "shutdown") {
        return {
          kind: "shutdown",
          why: `Triple fault: exception ${second.vector} while a double fault was delivered.`,
        };
      }
      const doubled = escalation === "double fault";
      // A page fault that ends as #DF has still written CR2.
      if (doubled && second.vector === VECTOR.PF)
        state.set(slots.cr2, state.get(slots.faultLinear));
      first = doubled ? VECTOR.DF : second.vector;
      next = doubled
        ? { vector: VECTOR.DF, kind: EVENT.EXCEPTION, errorCode: 0 }
        : { ...second, kind: EVENT.EXCEPTION };
    }
  }

  /** Walks the guest's page tables, setting A and D as an access would. */
  walk(
    linear: bigint,
    access: { readonly write?: boolean; readonly execute?: boolean; readonly user?: boolean },
  ): WalkResult {
    this.#walks += 1;
    const kind =
      (access.write === true ? ACCESS_WRITE : 0) |
      (access.execute === true ? ACCESS_EXECUTE : 0) |
      (access.user === true ? ACCESS_USER : 0);
    const result = BigInt.asUintN(
      64,
      this.#function("walk")(BLOCK, BigInt.asIntN(64, linear), BigInt(kind)),
    );
    if (this.state.getNumber(slots.faultVector) !== 0) {
      const { vector, errorCode } = takeFault(this.state);
      return { kind: "fault", vector, errorCode };
    }
    const denied = access.user === true ? 0x10n : 0x2n;
    return {
      kind: "translated",
      physical: Number((result & ~0xfffn) | (linear & 0xfffn)),
      writable: (result & denied) === 0n,
    };
  }
}

function physicalOf(low: number, high: number): number {
  return (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
}

function portSize(bytes: number): 1 | 2 | 4 {
  if (bytes === 1 || bytes === 2 || bytes === 4) return bytes;
  throw new RangeError(`Bug in ringside: a port access of ${bytes} bytes, please report.`);
}
