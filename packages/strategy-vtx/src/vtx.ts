/** The strategies' descriptions, and how their machines are made. */
import { programCarrier } from "@ringside/guest";
import {
  createKernelMachine,
  type Acceptance,
  type CreateOptions,
  type Guest,
  type Host,
  type KernelFormat,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import { hostBytesFor } from "./own-frames.ts";
import type { PagingKind } from "./paging.ts";
import { vtxMachine } from "./vtx-machine.ts";

/** VT-x with extended page tables. */
export const vtx: Strategy = strategy(
  "vtx",
  "VT-x",
  "The processor virtualizes: the guest kernel runs in ring 0 of non-root mode, on extended page tables.",
  ["vmx", "ept", "vpid"],
  "ept",
);

/** VT-x as it began: without EPT and VPID, on shadow page tables. */
export const vtxShadow: Strategy = strategy(
  "vtx:shadow",
  "VT-x, shadow paging",
  "The processor virtualizes, without extended page tables: the hypervisor shadows the guest's own.",
  ["vmx"],
  "shadow",
);

function strategy(
  id: string,
  name: string,
  summary: string,
  extensions: readonly string[],
  paging: PagingKind,
): Strategy {
  return {
    id,
    name,
    summary,
    traits: {
      guestKernel: "unmodified",
      guestKernelLevel: 0,
      extensions,
      // A host has one processor, which holds one guest's registers.
      exclusive: true,
    },
    capabilities: { programs: true, kernels: true, selfModifyingCode: true },
    accepts: (guest) => accepts(guest, paging),
    create: (host, guest, options = {}) => create(id, paging, host, guest, options),
  };
}

/** Formats whose kernels are entered in IA-32e mode, which shadow page tables are for. */
const longFormats: ReadonlySet<KernelFormat> = new Set(["elf64", "flat", "bzimage"]);

function accepts(guest: Guest, paging: PagingKind): Acceptance {
  if (guest.kind === "program") return { accepted: true };
  if (guest.format === "xen-pv") {
    return {
      accepted: false,
      reason:
        "A paravirtual kernel asks Xen for what VT-x does by itself. Use the paravirt strategy.",
    };
  }
  if (paging === "ept" || longFormats.has(guest.format)) return { accepted: true };
  return {
    accepted: false,
    reason: `A kernel in the format ${guest.format} starts without paging, which needs a processor with unrestricted guests. Use its 64-bit entry (elf64 or bzimage), or the vtx strategy.`,
  };
}

function create(
  strategyId: string,
  paging: PagingKind,
  host: Host,
  guest: Guest,
  options: CreateOptions,
): VirtualMachine {
  return createKernelMachine({
    strategy: strategyId,
    host,
    guest,
    options,
    accepts: (guest) => accepts(guest, paging),
    hostBytes: hostBytesFor(guest.memoryBytes, paging),
    programs: programCarrier(),
    machine: (machine) => vtxMachine({ ...machine, paging }),
  });
}
