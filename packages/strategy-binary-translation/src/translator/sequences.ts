/**
 * Assembles the short sequences that stand for instructions, each text once for a region.
 *
 * `$name` in the text is the address of a slot of the virtual CPU, `$lookup` that of the lookup table. Sequences do
 * not depend on where they lie: they reach slots by absolute displacements of 32 bits and branch only inside.
 */
import { assemble } from "@ringside/isa";
import type { Region } from "../cache/region.ts";
import { slotAddress, slotOffsets, type SlotName } from "../cache/virtual-cpu-slots.ts";

export class Sequences {
  readonly #region: Region;
  readonly #known = new Map<string, Uint8Array>();

  constructor(region: Region) {
    this.#region = region;
  }

  /** @throws {AssemblyError} The text is no assembly. */
  bytes(text: string): Uint8Array {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const { bytes } = assemble(
      text.replaceAll(/\$([a-zA-Z0-9]+)/gu, (_, name: string) => this.#address(name)),
    );
    this.#known.set(text, bytes);
    return bytes;
  }

  #address(name: string): string {
    if (name === "lookup") return `0x${this.#region.lookup.toString(16)}`;
    if (!isSlot(name)) throw new RangeError(`Bug in ringside: no slot ${name}, please report.`);
    return `0x${slotAddress(this.#region, name).toString(16)}`;
  }
}

function isSlot(name: string): name is SlotName {
  return Object.hasOwn(slotOffsets, name);
}
