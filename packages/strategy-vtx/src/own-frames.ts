/** The frames that the hypervisor keeps for one guest, and how much of the host a guest takes. */
import { shadowFrames } from "@ringside/hypervisor";
import { frameBytes } from "@ringside/machine";
import type { Claim } from "@ringside/strategy";
import { eptFramesFor } from "./ept-tables.ts";
import type { PagingKind } from "./paging.ts";

/** VMXON region, VMCS, MSR bitmap, virtual-APIC page. */
const structures = 4;

/** Host-physical addresses. */
export interface OwnFrames {
  readonly vmxon: number;
  readonly vmcs: number;
  readonly msrBitmap: number;
  readonly virtualApic: number;
  /** The first of those for page tables. */
  readonly tables: number;
}

/** @throws {RangeError} The claim is smaller than {@link hostBytesFor} says. */
export function ownFramesOf(claim: Claim, memoryBytes: number, paging: PagingKind): OwnFrames {
  const count = structures + tableFramesFor(memoryBytes, paging);
  const first = claim.frames.allotRun(count);
  if (first === undefined)
    throw new RangeError(`There is no room for the ${count} frames of the hypervisor.`);
  const frame = (index: number): number => first + index * frameBytes;
  return {
    vmxon: frame(0),
    vmcs: frame(1),
    msrBitmap: frame(2),
    virtualApic: frame(3),
    tables: frame(structures),
  };
}

/** Bytes of the host that a guest takes: its memory and what the hypervisor keeps for it. */
export function hostBytesFor(memoryBytes: number, paging: PagingKind): number {
  return memoryBytes + (tableFramesFor(memoryBytes, paging) + structures) * frameBytes;
}

function tableFramesFor(memoryBytes: number, paging: PagingKind): number {
  return paging === "ept" ? eptFramesFor(memoryBytes) : shadowFrames;
}
