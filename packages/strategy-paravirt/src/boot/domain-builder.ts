/**
 * Builds a domain: the kernel and all that it finds at its start in the domain's frames, and page tables that pass the
 * same validation as the guest's own.
 *
 * Xen, tools/libs/guest/xg_dom_x86.c, and "Start-of-day memory layout" of xen/include/public/xen.h.
 */
import { frameBytes, ImageError } from "@ringside/machine";
import { SIF_MOD_START_PFN } from "../abi/domain.ts";
import type { MachineMemory } from "../memory/machine-memory.ts";
import { PRESENT, USER, WRITABLE, ACCESSED, DIRTY, indexAt, type Level } from "../paging/entry.ts";
import { bootLayout, type BootLayout } from "./boot-layout.ts";
import { hypercallPage } from "./hypercall-page.ts";
import { startInfoBytes } from "./start-info.ts";
import { readXenKernel, type XenKernel } from "./xen-notes.ts";

/** A page of the kernel's: Xen tells it from a program's by the bit that is not set. */
const LEAF = PRESENT | WRITABLE | ACCESSED | DIRTY;
const TABLE = PRESENT | WRITABLE | USER | ACCESSED | DIRTY;

/** A kernel to build a domain of. */
export interface DomainImage {
  /** ELF64 with Xen's notes. */
  readonly image: Uint8Array;
  /** ASCII. */
  readonly commandLine: string;
  readonly initrd?: Uint8Array | undefined;
}

export interface BuildInput {
  readonly memory: MachineMemory;
  readonly domain: DomainImage;
  /** Machine frame of shared_info. */
  readonly sharedInfo: number;
  /** The event channel of the console. */
  readonly consolePort: number;
}

/** Where the virtual processor begins. Frames are the machine's. */
export interface DomainStart {
  readonly rip: bigint;
  readonly rsp: bigint;
  /** RSI. */
  readonly startInfo: bigint;
  readonly root: number;
  readonly consoleFrame: number;
}

/** @throws {ImageError} when a file is malformed or does not fit. */
export function buildDomain(input: BuildInput): DomainStart {
  return new DomainBuilder(input).build();
}

class DomainBuilder {
  readonly #input: BuildInput;
  readonly #kernel: XenKernel;
  readonly #layout: BootLayout;

  constructor(input: BuildInput) {
    const { domain, memory } = input;
    this.#input = input;
    this.#kernel = readXenKernel(domain.image);
    this.#layout = bootLayout({
      kernel: this.#kernel,
      frameCount: memory.frames.length,
      initrdBytes: domain.initrd?.length ?? 0,
      commandLine: domain.commandLine,
    });
  }

  build(): DomainStart {
    const { domain } = this.#input;
    const layout = this.#layout;
    const { base, entry } = this.#kernel;
    this.#writeNumbers();
    this.#loadKernel();
    if (domain.initrd !== undefined) this.#write(layout.initrd * frameBytes, domain.initrd);
    this.#writeList();
    this.#writeTables();
    this.#write(layout.startInfo * frameBytes, this.#startInfo());
    return {
      rip: entry,
      rsp: base + BigInt((layout.stack + 1) * frameBytes),
      startInfo: this.#linear(layout.startInfo),
      root: this.#machine(layout.tables),
      consoleFrame: this.#machine(layout.console),
    };
  }

  #startInfo(): Uint8Array {
    const { memory, domain, sharedInfo, consolePort } = this.#input;
    const layout = this.#layout;
    const { takesModuleByFrame, frameListBase } = this.#kernel;
    const moduleBytes = domain.initrd?.length ?? 0;
    const byFrame = takesModuleByFrame && moduleBytes > 0;
    const tables = layout.tableCounts.reduce((sum, count) => sum + count, 0);
    const listTables = layout.listTableCounts.reduce((sum, count) => sum + count, 0);
    return startInfoBytes({
      pageCount: memory.frames.length,
      sharedInfo: sharedInfo * frameBytes,
      flags: byFrame ? SIF_MOD_START_PFN : 0,
      storeFrame: this.#machine(layout.store),
      consoleFrame: this.#machine(layout.console),
      consolePort,
      tables: this.#linear(layout.tables),
      tableFrames: tables,
      frameList: frameListBase ?? this.#linear(layout.list),
      moduleStart:
        moduleBytes === 0 ? 0n : byFrame ? BigInt(layout.initrd) : this.#linear(layout.initrd),
      moduleBytes,
      commandLine: domain.commandLine,
      firstListFrame: frameListBase === undefined ? 0 : layout.list,
      listFrames: frameListBase === undefined ? 0 : layout.listFrames + listTables,
    });
  }

  #writeNumbers(): void {
    const { memory } = this.#input;
    for (const [frame, machine] of memory.frames.entries()) memory.setPhysicalOf(machine, frame, 0);
  }

  #loadKernel(): void {
    const { image } = this.#input.domain;
    const { elf, physicalOffset, hypercallPage: page, base } = this.#kernel;
    for (const { physical, fileOffset, fileBytes } of elf.segments) {
      const bytes = image.subarray(fileOffset, fileOffset + fileBytes);
      this.#write(physical - Number(physicalOffset), bytes);
    }
    if (page === undefined) return;
    const at = page - base;
    const end = BigInt(this.#layout.mapped - 1) * BigInt(frameBytes);
    if (at < 0n || at > end || at % BigInt(frameBytes) !== 0n) {
      throw new ImageError(
        "ELF",
        0,
        "a HYPERCALL_PAGE in the mapped region",
        `0x${page.toString(16)}`,
      );
    }
    this.#write(Number(at), hypercallPage());
  }

  #writeList(): void {
    const { frames } = this.#input.memory;
    const bytes = new Uint8Array(frames.length * 8);
    const view = new DataView(bytes.buffer);
    for (const [index, machine] of frames.entries()) view.setUint32(index * 8, machine, true);
    this.#write(this.#layout.list * frameBytes, bytes);
  }

  #writeTables(): void {
    const { base, frameListBase } = this.#kernel;
    const { tables, tableCounts, mapped, list, listFrames, listTables, listTableCounts } =
      this.#layout;
    const tableEnd = tables + tableCounts.reduce((sum, count) => sum + count, 0);
    const isTable = (frame: number): boolean => frame >= tables && frame < tableEnd;
    const [, level3, level2] = tableCounts;
    const firsts: Firsts = [tables + 1, tables + 1 + level3, tables + 1 + level3 + level2];
    for (let frame = 0; frame < mapped; frame += 1) {
      this.#map(firsts, base, frame, frame, isTable(frame) ? LEAF & ~WRITABLE : LEAF);
    }
    if (frameListBase === undefined) return;
    const [listLevel3, listLevel2] = listTableCounts;
    const listFirsts: Firsts = [
      listTables,
      listTables + listLevel3,
      listTables + listLevel3 + listLevel2,
    ];
    for (let page = 0; page < listFrames; page += 1) {
      this.#map(listFirsts, frameListBase, page, list + page, LEAF);
    }
  }

  /** Maps a frame as a page of a region, whose tables lie in order from `firsts`. */
  #map(firsts: Firsts, base: bigint, page: number, frame: number, flags: number): void {
    const linear = BigInt.asUintN(64, base + BigInt(page) * BigInt(frameBytes));
    const low = Number(linear & 0xffff_ffffn);
    const high = Number(linear >> 32n);
    const position = (level: Level): number => {
      const shift = BigInt(12 + 9 * level);
      return Number((linear >> shift) - (base >> shift));
    };
    let table = this.#layout.tables;
    for (const level of [4, 3, 2] as const) {
      const below = (level - 1) as 1 | 2 | 3;
      const next = (firsts[3 - below] ?? 0) + position(below);
      this.#writeEntry(table, indexAt(level, low, high), next, TABLE);
      table = next;
    }
    this.#writeEntry(table, indexAt(1, low, high), frame, flags);
  }

  #writeEntry(table: number, index: number, frame: number, flags: number): void {
    const { physical } = this.#input.memory;
    const at = this.#machine(table) * frameBytes + index * 8;
    physical.writeU32(at, this.#machine(frame) * frameBytes + flags);
    physical.writeU32(at + 4, 0);
  }

  #machine(frame: number): number {
    return this.#input.memory.frames[frame] ?? 0;
  }

  #linear(frame: number): bigint {
    return this.#kernel.base + BigInt(frame * frameBytes);
  }

  /** Writes bytes at an address that counts from the domain's frame 0. */
  #write(at: number, bytes: Uint8Array): void {
    const { physical } = this.#input.memory;
    for (let done = 0; done < bytes.length;) {
      const here = at + done;
      const part = Math.min(bytes.length - done, frameBytes - (here % frameBytes));
      const frame = this.#machine(Math.floor(here / frameBytes));
      physical.write(frame * frameBytes + (here % frameBytes), bytes.subarray(done, done + part));
      done += part;
    }
  }
}

/** The first tables of level 3, 2 and 1 of a region, as frames of the domain. */
type Firsts = readonly [level3: number, level2: number, level1: number];
