/**
 * Where things lie when a domain starts: in the order that Xen's headers give ("Start-of-day memory layout",
 * xen/include/public/xen.h), each on a page of its own, from the domain's frame 0 on.
 */
import { ImageError, frameBytes } from "@ringside/machine";
import { FIRST_XEN_SLOT, LAST_XEN_SLOT } from "../abi/domain.ts";
import { bytesOfCommandLine } from "./start-info.ts";
import type { XenKernel } from "./xen-notes.ts";

/** The mapped region ends at a multiple of this, with at least {@link paddingBytes} behind the stack. */
const regionAlign = 4 * 1024 * 1024;
const paddingBytes = 512 * 1024;
const tableBytes = 512 * frameBytes;

/** Positions are frames of the domain, from 0. */
export interface BootLayout {
  readonly initrd: number;
  readonly initrdFrames: number;
  /** The list of machine frames. */
  readonly list: number;
  readonly listFrames: number;
  readonly startInfo: number;
  readonly store: number;
  readonly console: number;
  /** Page tables of the region: level 4 first, then 3, 2 and 1. */
  readonly tables: number;
  readonly tableCounts: readonly [level4: number, level3: number, level2: number, level1: number];
  readonly stack: number;
  /** Frames from 0 up to this are mapped from the base on. */
  readonly mapped: number;
  /** Tables that map the list where the kernel wants it; behind the region, like the list then. */
  readonly listTables: number;
  readonly listTableCounts: readonly [level3: number, level2: number, level1: number];
  /** Frames that are in use. */
  readonly end: number;
}

export interface LayoutInput {
  readonly kernel: XenKernel;
  /** Frames of the domain. */
  readonly frameCount: number;
  readonly initrdBytes: number;
  readonly commandLine: string;
}

/** @throws {ImageError} when it does not fit. */
export function bootLayout(input: LayoutInput): BootLayout {
  const { kernel, frameCount, initrdBytes, commandLine } = input;
  bytesOfCommandLine(commandLine);
  if (
    kernel.base % BigInt(frameBytes) !== 0n ||
    (kernel.base + BigInt(frameCount * frameBytes)) >> 64n !== 0n
  ) {
    throw new ImageError("ELF", 0, "a VIRT_BASE with room above", `0x${kernel.base.toString(16)}`);
  }
  checkListBase(kernel);
  const initrdFrames = Math.ceil(initrdBytes / frameBytes);
  const listFrames = Math.ceil((frameCount * 8) / frameBytes);
  const isListApart = kernel.frameListBase !== undefined;
  const isModuleApart = kernel.takesModuleByFrame;

  let next = kernelEndFrame(kernel);
  const take = (count: number): number => {
    const first = next;
    next += count;
    return first;
  };
  const initrdInside = isModuleApart ? 0 : take(initrdFrames);
  const listInside = isListApart ? 0 : take(listFrames);
  const startInfo = take(1);
  const store = take(1);
  const console = take(1);
  const tables = next;
  const region = regionTables(kernel.base, tables);
  next += region.counts.reduce((sum, count) => sum + count, 0);
  const stack = take(1);
  next = region.mapped;
  const initrd = isModuleApart ? take(initrdFrames) : initrdInside;
  const list = isListApart ? take(listFrames) : listInside;
  const listTableCounts = isListApart
    ? listTablesFor(kernel.frameListBase, listFrames)
    : ([0, 0, 0] as const);
  const listTables = take(listTableCounts[0] + listTableCounts[1] + listTableCounts[2]);
  if (next > frameCount) {
    throw new ImageError(
      "kernel",
      0,
      `room for ${next * frameBytes} bytes at the start of the domain`,
      `a domain of ${frameCount * frameBytes}`,
    );
  }
  return {
    initrd,
    initrdFrames,
    list,
    listFrames,
    startInfo,
    store,
    console,
    tables,
    tableCounts: region.counts,
    stack,
    mapped: region.mapped,
    listTables,
    listTableCounts,
    end: next,
  };
}

/** The list's tables are not shared with the kernel's: each has an entry of level 4 to itself. */
function checkListBase({ base, frameListBase }: XenKernel): void {
  if (frameListBase === undefined) return;
  const slot = (linear: bigint): bigint => (linear >> 39n) & 0x1ffn;
  const own = slot(frameListBase);
  const isXens = own >= BigInt(FIRST_XEN_SLOT) && own <= BigInt(LAST_XEN_SLOT);
  if (own !== slot(base) && !isXens && frameListBase % BigInt(frameBytes) === 0n) return;
  throw new ImageError(
    "ELF",
    0,
    "an INIT_P2M with 512 GiB of the address space to itself",
    `0x${frameListBase.toString(16)}`,
  );
}

function kernelEndFrame({ elf, physicalOffset }: XenKernel): number {
  if (elf.segments.length === 0)
    throw new ImageError("ELF", 0, "at least one segment to load", "none");
  let end = 0;
  for (const [index, segment] of elf.segments.entries()) {
    const start = segment.physical - Number(physicalOffset);
    if (start < 0 || !Number.isSafeInteger(start + segment.memoryBytes)) {
      throw new ImageError(
        "ELF",
        0,
        `segment ${index} behind PADDR_OFFSET`,
        `its address 0x${segment.physical.toString(16)}`,
      );
    }
    end = Math.max(end, start + segment.memoryBytes);
  }
  return Math.ceil(end / frameBytes);
}

/** Tables for a region that holds these tables too: more of them make it longer, until both agree. */
function regionTables(
  base: bigint,
  firstTable: number,
): { readonly counts: readonly [number, number, number, number]; readonly mapped: number } {
  let tables = 4;
  for (;;) {
    const stackEnd = (firstTable + tables + 1) * frameBytes;
    const end = Math.ceil(
      (Number(base % BigInt(regionAlign)) + stackEnd + paddingBytes) / regionAlign,
    );
    const mapped = (end * regionAlign - Number(base % BigInt(regionAlign))) / frameBytes;
    const counts = countsFor(base, mapped);
    const all = 1 + counts[0] + counts[1] + counts[2];
    if (all <= tables) return { counts: [1, ...counts], mapped };
    tables = all;
  }
}

function listTablesFor(
  base: bigint | undefined,
  frames: number,
): readonly [number, number, number] {
  return base === undefined ? [0, 0, 0] : countsFor(base, frames);
}

/** Tables of level 3, 2 and 1 that so many pages from `base` on take. */
function countsFor(base: bigint, pages: number): readonly [number, number, number] {
  const last = base + BigInt(pages) * BigInt(frameBytes) - 1n;
  const count = (coverage: bigint): number => Number(last / coverage - base / coverage) + 1;
  const leaf = BigInt(tableBytes);
  return [count(leaf * 512n * 512n), count(leaf * 512n), count(leaf)];
}
