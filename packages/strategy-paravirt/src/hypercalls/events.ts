/**
 * Hypercalls on event channels, and what is left of physical devices for a domain without any.
 *
 * Xen, xen/include/public/event_channel.h and physdev.h.
 */
import { DOMID_SELF } from "../abi/domain.ts";
import { EFAULT, EINVAL, ENOENT, ENOSYS, EPERM, ESRCH } from "../abi/errno.ts";
import { DOMAIN_ID, type Domain } from "../domain.ts";
import { PORT_COUNT, type Channel } from "../events/event-channels.ts";
import { plus } from "../memory/guest-access.ts";
import type { CallArguments, CallResult } from "./call.ts";

const EVTCHNOP = {
  BIND_INTERDOMAIN: 0,
  BIND_VIRQ: 1,
  CLOSE: 3,
  SEND: 4,
  STATUS: 5,
  ALLOC_UNBOUND: 6,
  BIND_IPI: 7,
  BIND_VCPU: 8,
  UNMASK: 9,
  RESET: 10,
} as const;

export function eventChannelOp(domain: Domain, call: CallArguments): CallResult {
  const { channels, access } = domain;
  const pointer = call.linear(1);
  const bytes = access.read(pointer, 12);
  // The shortest of the structures may be the last thing on its page.
  const view = bytes === undefined ? undefined : new DataView(bytes.buffer);
  const first = view ?? shortView(domain, call);
  if (first === undefined) return EFAULT;
  const word = (index: number): number =>
    index * 4 + 4 <= first.byteLength ? first.getUint32(index * 4, true) : 0;
  /** Gives the port back in the structure. */
  const withPort = (port: number, index: number): number => {
    if (port < 0) return port;
    const out = new Uint8Array(4);
    new DataView(out.buffer).setUint32(0, port, true);
    return access.write(plus(pointer.low, pointer.high, index * 4), out) ? 0 : EFAULT;
  };
  const port = word(0);
  switch (call.low(0)) {
    case EVTCHNOP.BIND_INTERDOMAIN: {
      if (!isSelf(port & 0xffff)) return ESRCH;
      return withPort(channels.connect(word(1), DOMAIN_ID), 2);
    }
    case EVTCHNOP.BIND_VIRQ:
      if (word(1) !== 0) return ENOENT;
      return withPort(channels.bindVirtualInterrupt(port), 2);
    case EVTCHNOP.BIND_IPI:
      if (port !== 0) return ENOENT;
      return withPort(channels.allocate({ kind: "processor" }), 1);
    case EVTCHNOP.ALLOC_UNBOUND: {
      if (!isSelf(port & 0xffff)) return EPERM;
      const remote = port >>> 16;
      return withPort(
        channels.allocate({ kind: "unbound", remote: isSelf(remote) ? DOMAIN_ID : remote }),
        1,
      );
    }
    case EVTCHNOP.CLOSE:
      return channels.close(port, DOMAIN_ID);
    case EVTCHNOP.SEND:
      return send(domain, port);
    case EVTCHNOP.STATUS:
      return status(domain, pointer, word(0), word(1));
    case EVTCHNOP.BIND_VCPU:
      if (word(1) !== 0) return ENOENT;
      return channels.channel(port) === undefined ? EINVAL : 0;
    case EVTCHNOP.UNMASK:
      if (port >= PORT_COUNT) return EINVAL;
      channels.unmask(port);
      return 0;
    case EVTCHNOP.RESET:
      return isSelf(port & 0xffff) ? ENOSYS : EPERM;
    default:
      // Among them the queues of events of later versions: without them guests use the bitmaps.
      return ENOSYS;
  }
}

function shortView(domain: Domain, call: CallArguments): DataView | undefined {
  for (const lengthBytes of [8, 4]) {
    const bytes = domain.access.read(call.linear(1), lengthBytes);
    if (bytes !== undefined) return new DataView(bytes.buffer);
  }
  return undefined;
}

function isSelf(domain: number): boolean {
  return domain === DOMID_SELF || domain === DOMAIN_ID;
}

function send(domain: Domain, port: number): number {
  const { channels, console, state } = domain;
  const channel = channels.channel(port);
  switch (channel?.kind) {
    case undefined:
      return EINVAL;
    case "interdomain":
      if (channel.remote === DOMAIN_ID) channels.raise(channel.remotePort);
      else if (port === state.consolePort) {
        // The other end takes the output, and sends what input there was no room for.
        console.drain();
        if (console.fill()) channels.raise(port);
      }
      return 0;
    case "processor":
      channels.raise(port);
      return 0;
    case "unbound":
      return 0;
    case "virtual-interrupt":
      return EINVAL;
  }
}

/** evtchn_status: domain, port; state, processor, and what it is bound to. */
function status(
  domain: Domain,
  pointer: { readonly low: number; readonly high: number },
  owner: number,
  port: number,
): number {
  if (!isSelf(owner & 0xffff)) return EPERM;
  if (port >= PORT_COUNT) return EINVAL;
  const out = new Uint8Array(16);
  const view = new DataView(out.buffer);
  const [code, first, second] = statusWords(domain.channels.channel(port));
  view.setUint32(0, code, true);
  view.setUint32(4, 0, true);
  view.setUint32(8, first, true);
  view.setUint32(12, second, true);
  return domain.access.write(plus(pointer.low, pointer.high, 8), out) ? 0 : EFAULT;
}

function statusWords(channel: Channel | undefined): readonly [number, number, number] {
  switch (channel?.kind) {
    case undefined:
      return [0, 0, 0];
    case "unbound":
      return [1, channel.remote, 0];
    case "interdomain":
      return [2, channel.remote, channel.remotePort];
    case "virtual-interrupt":
      return [4, channel.number, 0];
    case "processor":
      return [5, 0, 0];
  }
}

const PHYSDEVOP_SET_IOPL = 6;

export function physdevOp(domain: Domain, call: CallArguments): CallResult {
  if (call.low(0) !== PHYSDEVOP_SET_IOPL) return ENOSYS;
  const bytes = domain.access.read(call.linear(1), 4);
  if (bytes === undefined) return EFAULT;
  const level = new DataView(bytes.buffer).getUint32(0, true);
  if (level > 3) return EINVAL;
  domain.vcpu.privilegeLevel = level;
  return 0;
}
