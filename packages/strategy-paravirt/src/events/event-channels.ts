/**
 * Event channels with the two-level bitmap: how anything that is not the guest itself gets its attention.
 *
 * Xen, xen/common/event_2l.c and event_channel.c. Bits and words lie in shared_info, which the guest writes too, so
 * everything read there may be anything.
 */
import type { MonitorWork } from "@ringside/hypervisor";
import type { PhysicalMemory } from "@ringside/isa";
import { SHARED_INFO, VCPU_INFO } from "../abi/domain.ts";
import { EEXIST, EINVAL, ENOSPC } from "../abi/errno.ts";

/** Ports of the two-level interface: 64 words of 64 bits. */
export const PORT_COUNT = 4096;

export const VIRQ_TIMER = 0;
const VIRQ_COUNT = 24;
/** Virtual interrupts that each processor has for itself; the others are a privileged domain's, or the domain's as a whole. */
const perProcessor: ReadonlySet<number> = new Set([0, 1, 7]);

/** What a port is bound to. */
export type Channel =
  | { readonly kind: "unbound"; readonly remote: number }
  /** The other end is this domain's, or a device model's in another one. */
  | { readonly kind: "interdomain"; readonly remote: number; readonly remotePort: number }
  | { readonly kind: "virtual-interrupt"; readonly number: number }
  | { readonly kind: "processor" };

export interface EventChannelsOptions {
  readonly memory: PhysicalMemory;
  readonly work: MonitorWork;
  /** Physical address of the virtual processor's vcpu_info now. */
  readonly vcpuInfo: () => number;
}

export class EventChannels {
  /** Physical address of shared_info. */
  sharedInfo = 0;
  readonly #options: EventChannelsOptions;
  readonly #channels = new Map<number, Channel>();
  #upcalls = 0;

  constructor(options: EventChannelsOptions) {
    this.#options = options;
  }

  /** Times that the guest was asked to look. */
  get upcalls(): number {
    return this.#upcalls;
  }

  reset(): void {
    this.#channels.clear();
  }

  channel(port: number): Channel | undefined {
    return this.#channels.get(port);
  }

  /** Takes a free port. @returns the port, or an error. */
  allocate(channel: Channel): number {
    for (let port = 1; port < PORT_COUNT; port += 1) {
      if (this.#channels.has(port)) continue;
      this.#channels.set(port, channel);
      this.#clear(port);
      return port;
    }
    return ENOSPC;
  }

  /** Binds a virtual interrupt. @returns the port, or an error. */
  bindVirtualInterrupt(number: number): number {
    if (number >= VIRQ_COUNT || !perProcessor.has(number)) return EINVAL;
    if (this.#portOf(number) !== undefined) return EEXIST;
    return this.allocate({ kind: "virtual-interrupt", number });
  }

  /** Connects a port to an unbound one of the same domain. @returns the new port, or an error. */
  connect(remotePort: number, self: number): number {
    const remote = this.#channels.get(remotePort);
    if (remote?.kind !== "unbound" || remote.remote !== self) return EINVAL;
    const port = this.allocate({ kind: "interdomain", remote: self, remotePort });
    if (port < 0) return port;
    this.#channels.set(remotePort, { kind: "interdomain", remote: self, remotePort: port });
    this.raise(port);
    return port;
  }

  /** Frees a port. */
  close(port: number, self: number): number {
    const channel = this.#channels.get(port);
    if (channel === undefined) return EINVAL;
    if (channel.kind === "interdomain" && channel.remote === self) {
      this.#channels.set(channel.remotePort, { kind: "unbound", remote: self });
    }
    this.#channels.delete(port);
    this.#clear(port);
    return 0;
  }

  /** A virtual interrupt happened; without a port for it, nothing does. */
  raiseVirtualInterrupt(number: number): void {
    const port = this.#portOf(number);
    if (port !== undefined) this.raise(port);
  }

  /** Marks a port as pending, and asks for the guest's attention unless it is masked. */
  raise(port: number): void {
    const { memory, work } = this.#options;
    work.add("mappedWords", 3);
    const word = port >>> 5;
    const bit = bitOf(port);
    const pendingAt = this.sharedInfo + SHARED_INFO.pending + word * 4;
    const pending = memory.readU32(pendingAt);
    if ((pending & bit) !== 0) return;
    memory.writeU32(pendingAt, (pending | bit) >>> 0);
    const masked = memory.readU32(this.sharedInfo + SHARED_INFO.mask + word * 4);
    if ((masked & bit) === 0) this.#select(port >>> 6);
  }

  /** The guest unmasks a port: what came meanwhile counts now. */
  unmask(port: number): void {
    const { memory, work } = this.#options;
    work.add("mappedWords", 2);
    const word = port >>> 5;
    const bit = bitOf(port);
    const maskAt = this.sharedInfo + SHARED_INFO.mask + word * 4;
    const mask = memory.readU32(maskAt);
    if ((mask & bit) === 0) return;
    memory.writeU32(maskAt, (mask & ~bit) >>> 0);
    const pending = memory.readU32(this.sharedInfo + SHARED_INFO.pending + word * 4);
    if ((pending & bit) !== 0) this.#select(port >>> 6);
  }

  /** True when a port is pending, masked or not. */
  isPending(port: number): boolean {
    const word = this.#options.memory.readU32(
      this.sharedInfo + SHARED_INFO.pending + (port >>> 5) * 4,
    );
    return (word & bitOf(port)) !== 0;
  }

  /** True when an event on a port would get through to the guest. */
  isOpen(port: number): boolean {
    const word = this.#options.memory.readU32(
      this.sharedInfo + SHARED_INFO.mask + (port >>> 5) * 4,
    );
    return this.#channels.has(port) && (word & bitOf(port)) === 0;
  }

  /** The port of a virtual interrupt that is bound. */
  portOfVirtualInterrupt(number: number): number | undefined {
    return this.#portOf(number);
  }

  /** Sets a selector bit, and asks for attention when it was clear. */
  #select(group: number): void {
    const { memory } = this.#options;
    const info = this.#options.vcpuInfo();
    const at = info + VCPU_INFO.pendingSelector + (group >>> 5) * 4;
    const selector = memory.readU32(at);
    const bit = bitOf(group);
    if ((selector & bit) !== 0) return;
    memory.writeU32(at, (selector | bit) >>> 0);
    this.notify();
  }

  /** Tells the guest to look at its selector. */
  notify(): void {
    const { memory, vcpuInfo } = this.#options;
    const at = vcpuInfo() + VCPU_INFO.upcallPending;
    if (memory.readU8(at) !== 0) return;
    memory.writeU8(at, 1);
    this.#upcalls += 1;
  }

  #portOf(number: number): number | undefined {
    for (const [port, channel] of this.#channels) {
      if (channel.kind === "virtual-interrupt" && channel.number === number) return port;
    }
    return undefined;
  }

  #clear(port: number): void {
    const { memory } = this.#options;
    const at = this.sharedInfo + SHARED_INFO.pending + (port >>> 5) * 4;
    memory.writeU32(at, (memory.readU32(at) & ~bitOf(port)) >>> 0);
  }
}

function bitOf(number: number): number {
  return (1 << (number & 31)) >>> 0;
}
