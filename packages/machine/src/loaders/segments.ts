/** Copies the segments of an executable to their physical addresses. */
import type { BootMemory } from "./boot-memory.ts";
import type { Elf } from "./elf.ts";
import { ImageError } from "./image-error.ts";

/** @throws {ImageError} when there is nothing to load, or a segment does not fit the machine's memory. */
export function loadSegments(memory: BootMemory, elf: Elf, image: Uint8Array): void {
  if (elf.segments.length === 0) {
    throw new ImageError("ELF", 0, "at least one segment to load", "none");
  }
  for (const [index, segment] of elf.segments.entries()) {
    const bytes = image.subarray(segment.fileOffset, segment.fileOffset + segment.fileBytes);
    memory.place(`ELF segment ${index}`, segment.physical, bytes, segment.memoryBytes);
  }
}
