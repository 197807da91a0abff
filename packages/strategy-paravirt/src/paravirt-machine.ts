/**
 * One machine with one domain: a guest at CPL 3 on its own page tables, and Xen between it and the processor.
 *
 * The life of a trap: the processor leaves with a value where it would have entered ring 0; a handler does what the
 * guest asked for, or makes the guest's kernel handle it; pending events are delivered on the way back. The host's
 * timer is set to the first deadline of the domain's timers, and only its interrupt makes them expire.
 */
import { closedPorts, GuestTime, PhysicalInterrupts } from "@ringside/hypervisor";
import { Processor, type ProcessorExit } from "@ringside/isa";
import { frameBytes, Timeline } from "@ringside/machine";
import {
  GuestInspector,
  processorCounts,
  shownRegisters,
  type Counts,
  type Inspector,
  type KernelMachine,
  type KernelMachineExit,
  type KernelMachineOptions,
} from "@ringside/strategy";
import { SHARED_INFO, VCPU_INFO, VCPU_INFO_COUNT } from "./abi/domain.ts";
import { buildDomain, type DomainImage } from "./boot/domain-builder.ts";
import { enterDomain } from "./boot/enter-domain.ts";
import { Traps } from "./cpu/traps.ts";
import { initialState, type Domain, type DomainState } from "./domain.ts";
import { TIMER_DEVICE } from "./events/clock.ts";
import { VIRQ_TIMER } from "./events/event-channels.ts";
import { makeDomain } from "./make-domain.ts";
import { TYPE } from "./memory/frame-table.ts";
import { MachineMemory, xenFramesFor, type FrameOrder } from "./memory/machine-memory.ts";
import { XenArea } from "./memory/xen-area.ts";

const consoleDevice = "console";
/** Nanoseconds from the host's sending to the guest's event. */
const consoleLatency = 100;
const SHUTDOWN_CRASH = 3;

export interface ParavirtMachineOptions extends Omit<KernelMachineOptions, "kernel"> {
  readonly kernel: DomainImage;
  readonly frames: FrameOrder;
}

/** Bytes of the host that a guest takes: its memory and what Xen keeps for it. */
export function hostBytesFor(memoryBytes: number): number {
  return memoryBytes + xenFramesFor(memoryBytes / frameBytes) * frameBytes;
}

export class ParavirtMachine implements KernelMachine {
  readonly processor: Processor;
  readonly inspect: Inspector;
  readonly #options: ParavirtMachineOptions;
  readonly #timeline: Timeline;
  readonly #physicalInterrupts: PhysicalInterrupts = new PhysicalInterrupts();
  readonly #domain: Domain;
  readonly #state: DomainState = initialState();
  readonly #traps: Traps;
  readonly #time: GuestTime;
  #inputEnded = false;

  /**
   * @throws {ImageError} when a file of the guest is malformed or does not fit.
   * @throws {RangeError} when the claim is smaller than {@link hostBytesFor} says.
   */
  constructor(options: ParavirtMachineOptions) {
    const { claim, memoryBytes, onMark } = options;
    const { physical } = claim.memory;
    this.#options = options;
    this.#timeline = new Timeline(this);
    this.processor = new Processor({
      memory: claim.memory,
      ports: closedPorts,
      interrupts: this.#physicalInterrupts,
      delivery: "monitor",
      ...(onMark === undefined ? {} : { onMark }),
    });
    this.#time = new GuestTime(this.processor, this.#physicalInterrupts, this.#timeline);
    const memory = new MachineMemory(
      physical,
      claim.frames,
      memoryBytes / frameBytes,
      options.frames,
    );
    const area = new XenArea(memory);
    memory.keepOwn();
    this.#domain = makeDomain({
      state: this.#state,
      processor: this.processor,
      memory,
      area,
      timeline: this.#timeline,
      epochSeconds: options.epochSeconds,
      onSerial: options.onSerial,
      onLog: options.onDebug,
    });
    this.#traps = new Traps(this.#domain);
    this.inspect = new GuestInspector({
      memory: {
        sizeBytes: physical.sizeBytes,
        isRam: (address) => this.#domain.frames.isOwned(Math.floor(address / frameBytes)),
        peek: (address, lengthBytes) =>
          address + lengthBytes <= physical.sizeBytes
            ? physical.read(address, lengthBytes)
            : new Uint8Array(lengthBytes),
      },
      registers: () => shownRegisters(this.processor.state),
      controls: () => this.processor.state,
    });
    this.#boot();
  }

  get now(): number {
    return this.#time.now;
  }

  get units(): number {
    return this.#time.units;
  }

  get unreadBytes(): number {
    return this.#domain.console.unreadBytes;
  }

  /** What the hypervisor keeps for the guest. */
  get domain(): Domain {
    return this.#domain;
  }

  counts(): Counts {
    const { work, counts, vcpu, channels } = this.#domain;
    const own: Record<string, number> = { ...work.flat(), ...counts.flat() };
    for (const [kind, count] of vcpu.bounces) own[`bounces.${kind}`] = count;
    if (channels.upcalls > 0) own["eventUpcalls"] = channels.upcalls;
    return processorCounts(this.processor.counts(), this.units, own);
  }

  requestStop(): void {
    this.#time.requestStop();
  }

  send(bytes: Uint8Array): void {
    this.#domain.console.send(bytes);
    this.#timeline.schedule(consoleDevice, "receive", this.now + consoleLatency);
  }

  endInput(): void {
    this.#inputEnded = true;
  }

  run(limitUnits: number): KernelMachineExit {
    return this.#run(this.units + limitUnits);
  }

  reset(): void {
    this.#boot();
  }

  #boot(): void {
    const domain = this.#domain;
    const { memory, frames, vcpu, channels, clock, console, types, paging, physical } = domain;
    Object.assign(this.#state, initialState());
    this.#inputEnded = false;
    this.#time.reset();
    memory.reset();
    frames.clear();
    domain.descriptors.reset();
    vcpu.reset();
    channels.reset();
    clock.reset();
    domain.runStates.reset();
    console.reset();

    for (const frame of memory.frames) frames.assign(frame);
    const [sharedInfo = 0] = memory.takeOwn(1);
    this.#share(sharedInfo);
    this.#state.consolePort = channels.allocate({ kind: "interdomain", remote: 0, remotePort: 0 });
    const start = buildDomain({
      memory,
      domain: this.#options.kernel,
      sharedInfo,
      consolePort: this.#state.consolePort,
    });
    console.page = start.consoleFrame * frameBytes;
    // The other end of the ring writes to it whatever the guest does: it can be no page table.
    if (types.get(start.consoleFrame, TYPE.WRITABLE) !== 0)
      throw new Error("Bug in ringside: the console's page is a page table, please report.");
    const pinned = paging.pin(start.root, 4);
    if (pinned !== 0)
      throw new Error(
        `Bug in ringside: the first page tables are not valid (${pinned}), please report.`,
      );
    paging.getRoot(start.root);
    vcpu.kernelRoot = start.root;
    vcpu.kernelStack = halves(start.rsp);
    clock.writeWallClock(sharedInfo * frameBytes);
    clock.writeTime();
    enterDomain(this.processor.state, start);
    domain.access.root = start.root * frameBytes;
    physical.writeU8(vcpu.info + VCPU_INFO.upcallMask, 1);
  }

  /** A page of Xen's that the guest may map, writable for good. */
  #share(frame: number): void {
    const { frames, vcpu, channels, types, physical } = this.#domain;
    frames.share(frame);
    if (types.get(frame, TYPE.WRITABLE) !== 0)
      throw new Error("Bug in ringside: shared_info cannot be shared, please report.");
    channels.sharedInfo = frame * frameBytes;
    vcpu.info = channels.sharedInfo + SHARED_INFO.vcpuInfo;
    for (let index = 0; index < VCPU_INFO_COUNT; index += 1) {
      const at = channels.sharedInfo + SHARED_INFO.vcpuInfo + index * VCPU_INFO.bytes;
      physical.writeU8(at + VCPU_INFO.upcallMask, 1);
    }
  }

  #run(end: number): KernelMachineExit {
    const { vcpu } = this.#domain;
    for (;;) {
      if (vcpu.crashed !== undefined) {
        this.#domain.console.drain();
        return { reason: "crashed", why: vcpu.crashed };
      }
      if (this.#state.isShutDown) return this.#shutDown();
      if (this.#time.takeStop()) return { reason: "stopped" };
      const left = end - this.units;
      if (left <= 0) return { reason: "limit" };
      if (this.#state.sleep !== undefined) {
        const over = this.#sleep();
        if (over !== undefined) return over;
        continue;
      }
      this.#afterRun(this.processor.run(this.#time.armTimer(left)));
    }
  }

  #afterRun(exit: ProcessorExit): void {
    switch (exit.reason) {
      case "limit":
      case "stopped":
        return;
      case "event": {
        const { event } = exit;
        const { vcpu, work, counts } = this.#domain;
        this.#options.onMonitorEntry?.(this.#traps.describe(event));
        work.add("entries");
        if (event.kind === "interrupt") {
          vcpu.returnsFast = false;
          this.#physicalInterrupts.acknowledge();
          this.#expireDue();
        } else if (event.kind === "nmi") {
          throw new Error("Bug in ringside: the host has no source of NMIs, please report.");
        } else this.#traps.handle(event);
        // A domain that sleeps is woken by its events before they are delivered.
        if (this.#state.sleep === undefined) vcpu.deliverEvents();
        counts.returned(vcpu.returnsFast);
        return;
      }
      case "halted":
      case "shutdown":
      case "extension":
        throw new Error(
          `Bug in ringside: a guest at CPL 3 left for its ${exit.reason}, please report.`,
        );
    }
  }

  /** Hands everything that is due to where it belongs. */
  #expireDue(): void {
    const { clock, channels, console } = this.#domain;
    for (let due = this.#timeline.takeDue(); due !== undefined; due = this.#timeline.takeDue()) {
      if (due.device === consoleDevice) {
        if (console.fill()) channels.raise(this.#state.consolePort);
      } else if (due.device === TIMER_DEVICE && due.event === "poll") {
        this.#wake();
      } else {
        clock.expired(due.event, due.deadline);
        clock.writeTime();
        channels.raiseVirtualInterrupt(VIRQ_TIMER);
      }
    }
  }

  #wake(): void {
    this.#state.sleep = undefined;
    this.#domain.clock.cancelPollTimeout();
    this.#domain.clock.writeTime();
    this.#domain.runStates.enter("running");
  }

  /** The host sleeps until what can wake the guest; else says why there is nothing to wait for. */
  #sleep(): KernelMachineExit | undefined {
    const { vcpu, console, channels } = this.#domain;
    // The other end of the console reads whether or not it was told.
    console.drain();
    this.#expireDue();
    if (this.#isAwake()) {
      if (this.#state.sleep !== undefined) this.#wake();
      vcpu.deliverEvents();
      return undefined;
    }
    if (this.#timeline.nextDeadline < Infinity) {
      this.#time.sleep(Math.max(this.#timeline.nextDeadline - this.now, 0));
      return undefined;
    }
    const listens = channels.isOpen(this.#state.consolePort);
    return { reason: listens && !this.#inputEnded ? "waiting" : "halted" };
  }

  #isAwake(): boolean {
    const { vcpu, channels } = this.#domain;
    const { sleep } = this.#state;
    switch (sleep?.kind) {
      case undefined:
        return true;
      case "block":
        return vcpu.eventPending && !vcpu.eventsMasked;
      case "poll":
        return (
          (vcpu.eventPending && !vcpu.eventsMasked) ||
          sleep.ports.some((port) => channels.isPending(port))
        );
      case "down":
        return false;
    }
  }

  #shutDown(): KernelMachineExit {
    this.#domain.console.drain();
    const { shutdownCode = 0, isCodeLatched } = this.#state;
    if (isCodeLatched) return { reason: "powered-off", value: shutdownCode };
    if (shutdownCode === SHUTDOWN_CRASH)
      return { reason: "crashed", why: "The guest's kernel says that it has crashed." };
    return { reason: "powered-off", value: 0 };
  }
}

function halves(linear: bigint): { readonly low: number; readonly high: number } {
  return { low: Number(linear & 0xffff_ffffn), high: Number(linear >> 32n) };
}
