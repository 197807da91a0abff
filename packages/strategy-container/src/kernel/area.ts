/** Memory areas: what a range of an address space is mapped to, before any page of it exists. */
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/memory.ts";
import type { RegularInode } from "../files/inode.ts";

/** What pages of an area come from. Absent: zeros, private to the address space. */
export interface AreaSource {
  readonly inode: RegularInode;
  /** Offset in the file of the area's first byte; page-aligned. */
  readonly offset: number;
  /** The file was opened for reading only: a shared mapping never becomes writable. */
  readonly readOnly?: boolean;
}

export interface Area {
  /** First linear address; page-aligned. */
  start: number;
  /** End, exclusive; page-aligned. */
  end: number;
  /** PROT_READ, PROT_WRITE and PROT_EXEC. */
  protection: number;
  /** MAP_SHARED: stores go to the source's pages. */
  readonly shared: boolean;
  readonly growsDown: boolean;
  source: AreaSource | undefined;
  /** What /proc/PID/maps shows: a path, `[heap]`, `[stack]` or nothing. */
  readonly name: string;
}

/** The part of `area` that covers [start, end). */
export function slice(area: Area, start: number, end: number): Area {
  const { source } = area;
  return {
    ...area,
    start,
    end,
    source: source && { ...source, offset: source.offset + (start - area.start) },
  };
}

/** Whether `next`, which begins where `area` ends, continues it, so that both can be one. */
export function continues(area: Area, next: Area): boolean {
  if (area.end !== next.start || area.protection !== next.protection) return false;
  if (area.shared !== next.shared || area.growsDown !== next.growsDown) return false;
  if (area.name !== next.name) return false;
  if (area.source === undefined || next.source === undefined) return area.source === next.source;
  return (
    area.source.inode === next.source.inode &&
    area.source.readOnly === next.source.readOnly &&
    area.source.offset + (area.end - area.start) === next.source.offset
  );
}

/** One line of /proc/PID/maps, without its end of line. */
export function describeArea(area: Area): string {
  const { protection, source } = area;
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  const rights = [
    (protection & PROT_READ) === 0 ? "-" : "r",
    (protection & PROT_WRITE) === 0 ? "-" : "w",
    (protection & PROT_EXEC) === 0 ? "-" : "x",
    area.shared ? "s" : "p",
  ].join("");
  const device = source?.inode.fileSystem.device ?? 0;
  const minor = (device & 0xff).toString(16).padStart(2, "0");
  const line = `${hex(area.start)}-${hex(area.end)} ${rights} ${hex(source?.offset ?? 0)} 00:${minor} ${source?.inode.number ?? 0}`;
  return area.name === "" ? `${line} ` : `${line.padEnd(73)}${area.name}`;
}
