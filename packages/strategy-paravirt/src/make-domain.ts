/** Makes a domain of its parts: what knows of what. */
import { MonitorWork } from "@ringside/hypervisor";
import { segmentSlots, SEGMENTS, type Processor, type ProcessorState } from "@ringside/isa";
import { frameBytes, type Timeline } from "@ringside/machine";
import { DescriptorTables } from "./cpu/descriptors.ts";
import { RegisterHalves } from "./cpu/registers.ts";
import { Vcpu } from "./cpu/vcpu.ts";
import { DomainCounts } from "./domain-counts.ts";
import type { Domain, DomainState } from "./domain.ts";
import { DomainClock } from "./events/clock.ts";
import { ConsoleRing } from "./events/console-ring.ts";
import { EventChannels } from "./events/event-channels.ts";
import { RunStates } from "./events/run-states.ts";
import { WorkLimit } from "./hypercalls/work-limit.ts";
import { FrameTable } from "./memory/frame-table.ts";
import { GuestAccess } from "./memory/guest-access.ts";
import type { MachineMemory } from "./memory/machine-memory.ts";
import { LDT_LINEAR, type XenArea } from "./memory/xen-area.ts";
import { DirectPaging } from "./paging/direct-paging.ts";
import { PageTypes } from "./paging/page-types.ts";

const UNUSABLE = 0x1_0000;
const LDT_ATTRIBUTES = 0x82;
/** Xen's selector for it, in the reserved part of the GDT. */
const LDT_SELECTOR = 0xe050;

export interface DomainParts {
  readonly state: DomainState;
  readonly processor: Processor;
  readonly memory: MachineMemory;
  readonly area: XenArea;
  readonly timeline: Timeline;
  readonly epochSeconds: number;
  readonly onSerial: (bytes: Uint8Array) => void;
  readonly onLog: (bytes: Uint8Array) => void;
}

export function makeDomain(parts: DomainParts): Domain {
  const { state, processor, memory, area, timeline, epochSeconds, onSerial, onLog } = parts;
  const { physical } = memory;
  const work = new MonitorWork();
  const counts = new DomainCounts();
  const frames = new FrameTable(physical.sizeBytes / frameBytes);
  const access = new GuestAccess(physical, work);
  const onFlush = (): void => frames.tlbFlushed();
  const flushTlb = (): void => {
    processor.flushTlb(true);
    onFlush();
  };
  const flushPage = (linear: bigint): void => {
    work.add("tlbInvalidations");
    processor.invalidatePage(linear);
  };
  const descriptors = new DescriptorTables({
    memory: physical,
    frames,
    area,
    work,
    flushTlb,
    onLdt: (entries) => loadLdt(processor.state, entries),
  });
  const types = new PageTypes({
    memory: physical,
    frames,
    work,
    flushTlb,
    checkDescriptors: (frame) => descriptors.checkFrame(frame),
    xenEntry: (slot) => area.entry(slot),
  });
  descriptors.types = types;
  const registers = new RegisterHalves(processor.state);
  const vcpu = new Vcpu({
    processor,
    registers,
    memory: physical,
    access,
    descriptors,
    work,
    onFlush,
  });
  const vcpuInfo = (): number => vcpu.info;
  const channels = new EventChannels({ memory: physical, work, vcpuInfo });
  const clock = new DomainClock({
    memory: physical,
    work,
    timeline,
    epochSeconds,
    vcpuInfo,
  });
  return {
    state,
    processor,
    physical,
    memory,
    frames,
    area,
    access,
    types,
    paging: new DirectPaging(frames, types, work),
    descriptors,
    registers,
    vcpu,
    channels,
    clock,
    runStates: new RunStates(access, () => timeline.now),
    console: new ConsoleRing({ memory: physical, work, onOutput: onSerial }),
    work,
    workLimit: new WorkLimit(work),
    counts,
    onLog,
    flushTlb,
    flushPage,
  };
}

function loadLdt(state: ProcessorState, entries: number): void {
  const ldtr = segmentSlots(SEGMENTS.indexOf("ldtr"));
  state.set(ldtr.base, LDT_LINEAR);
  state.setNumber(ldtr.limit, entries === 0 ? 0 : entries * 8 - 1);
  state.setNumber(ldtr.attributes, entries === 0 ? UNUSABLE : LDT_ATTRIBUTES);
  state.setNumber(ldtr.selector, entries === 0 ? 0 : LDT_SELECTOR);
}
