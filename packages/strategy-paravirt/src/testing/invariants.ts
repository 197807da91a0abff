/**
 * What must hold of a domain at any time, whatever its guest did: found by walking everything anew.
 *
 * Counted again from nothing: which tables are in use, what their entries refer to, what else refers to frames. Then
 * all counts must agree, and no entry that the processor can reach may map what it must not.
 */
import { frameBytes } from "@ringside/machine";
import { FIRST_XEN_SLOT, LAST_XEN_SLOT } from "../abi/domain.ts";
import { allowedDescriptor } from "../cpu/descriptors.ts";
import type { Domain } from "../domain.ts";
import { TYPE } from "../memory/frame-table.ts";
import { DESCRIPTOR_PAGES } from "../memory/xen-area.ts";
import { frameOf, PRESENT, WRITABLE, type Level } from "../paging/entry.ts";
import { isTable } from "../paging/page-types.ts";

interface Expected {
  references: number;
  typeReferences: number;
}

/** @returns what is wrong, in words; empty when all is well. */
export function brokenInvariants(domain: Domain): readonly string[] {
  const walk = new Walk(domain);
  walk.countFixed();
  walk.countTables();
  walk.checkDescriptors();
  walk.compare();
  return walk.broken;
}

class Walk {
  readonly broken: string[] = [];
  readonly #domain: Domain;
  readonly #expected = new Map<number, Expected>();

  constructor(domain: Domain) {
    this.#domain = domain;
  }

  /** References that are not entries of page tables. */
  countFixed(): void {
    const { frames, vcpu, console, channels, area } = this.#domain;
    for (let frame = 0; frame < frames.count; frame += 1) {
      if (frames.isAllocated(frame)) this.#add(frame, false);
      if (frames.isPinned(frame)) this.#add(frame, true);
    }
    for (const root of [vcpu.kernelRoot, vcpu.userRoot]) {
      if (root === 0) continue;
      this.#add(root, true);
      if (frames.type(root) !== TYPE.L4) this.broken.push(`root ${root} is no table of level 4`);
    }
    const sharedInfo = channels.sharedInfo / frameBytes;
    this.#add(sharedInfo, true);
    this.#add(sharedInfo, false);
    this.#add(console.page / frameBytes, true);
    if (vcpu.hasOwnInfo) this.#add(Math.floor(vcpu.info / frameBytes), true);
    for (let page = 0; page < 2 * DESCRIPTOR_PAGES; page += 1) {
      const frame = area.descriptorPage(page);
      // The reserved pages of the GDT are Xen's.
      if (frame === undefined || page === 14 || page === 15) continue;
      this.#add(frame, true);
      if (frames.type(frame) !== TYPE.DESCRIPTORS)
        this.broken.push(`page ${page} of the descriptors is frame ${frame}, which has none`);
    }
  }

  countTables(): void {
    const { frames } = this.#domain;
    for (let frame = 0; frame < frames.count; frame += 1) {
      const type = frames.type(frame);
      if (frames.typeCount(frame) === 0 || !isTable(type)) continue;
      if (!frames.isOwned(frame)) this.broken.push(`table ${frame} is not the domain's`);
      this.#countTable(frame, type);
    }
  }

  /** What the guest may have changed of its descriptors, it may have. */
  checkDescriptors(): void {
    const { frames, physical } = this.#domain;
    for (let frame = 0; frame < frames.count; frame += 1) {
      if (frames.typeCount(frame) === 0 || frames.type(frame) !== TYPE.DESCRIPTORS) continue;
      for (let at = frame * frameBytes; at < (frame + 1) * frameBytes; at += 8) {
        const high = physical.readU32(at + 4);
        if (allowedDescriptor(physical.readU32(at), high) !== high)
          this.broken.push(`the descriptor at 0x${at.toString(16)} is none that a guest may have`);
      }
    }
  }

  #countTable(frame: number, level: Level): void {
    const { types, area } = this.#domain;
    for (let index = 0; index < 512; index += 1) {
      const at = frame * frameBytes + index * 8;
      const low = types.readLow(at);
      const high = types.readHigh(at);
      if (level === 4 && index >= FIRST_XEN_SLOT && index <= LAST_XEN_SLOT) {
        // The processor may have set accessed bits.
        if ((low & ~0x20) >>> 0 !== (area.entry(index) & ~0x20) >>> 0 || high !== 0)
          this.broken.push(`slot ${index} of table ${frame} is not Xen's`);
        continue;
      }
      if ((low & PRESENT) === 0) continue;
      this.#countEntry(frameOf(low, high), (low & WRITABLE) !== 0, level, `${frame}[${index}]`);
    }
  }

  #countEntry(target: number, isWritable: boolean, level: Level, where: string): void {
    const { frames } = this.#domain;
    if (!frames.isOwned(target)) {
      this.broken.push(`${where} maps frame ${target}, which is not the domain's`);
      return;
    }
    const type = frames.type(target);
    if (level > 1) {
      if (type !== level - 1) this.broken.push(`${where} refers to ${target}, of type ${type}`);
      this.#add(target, true);
    } else if (isWritable) {
      if (type !== TYPE.WRITABLE)
        this.broken.push(`${where} maps ${target} writable, of type ${type}`);
      this.#add(target, true);
    } else this.#add(target, false);
  }

  compare(): void {
    const { frames } = this.#domain;
    for (let frame = 0; frame < frames.count; frame += 1) {
      const { references, typeReferences } = this.#expected.get(frame) ?? none;
      if (frames.references(frame) !== references || frames.typeCount(frame) !== typeReferences) {
        this.broken.push(
          `frame ${frame} of type ${frames.type(frame)} has ${frames.references(frame)} references and ${frames.typeCount(frame)} by type, and should have ${references} and ${typeReferences}`,
        );
      }
    }
  }

  #add(frame: number, byType: boolean): void {
    const expected = this.#expected.get(frame) ?? { ...none };
    expected.references += 1;
    if (byType) expected.typeReferences += 1;
    this.#expected.set(frame, expected);
  }
}

const none: Expected = { references: 0, typeReferences: 0 };
