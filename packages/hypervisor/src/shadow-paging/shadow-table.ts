/** One shadow page table, and what leads to it. */

/** Frames that a guest has for shadow tables: what a handful of address spaces need. */
export const shadowFrames = 200;

/** Rights along the way to a table, which its leaves combine with their own. */
export interface Rights {
  readonly writable: boolean;
  readonly user: boolean;
  readonly executable: boolean;
}

/** What makes one shadow table differ from another. */
export interface TableKind {
  /** Number of the guest's table frame; of a part of a large page, where that part begins. */
  readonly frame: number;
  /** 4 for the root, 1 for tables of leaves. */
  readonly level: number;
  readonly rights: Rights;
  /** It lies on the way to the hypervisor's own range. */
  readonly leadsToReserved: boolean;
  /** For the parts of a large page. */
  readonly large?: { readonly isDirty: boolean };
}

export interface ShadowTable {
  readonly key: string;
  /** Host-physical address. */
  readonly frame: number;
  readonly level: number;
  /** Frame number of the guest's table that it shadows; undefined for the parts of a large page. */
  readonly guestFrame: number | undefined;
  /** The entry that leads to the hypervisor's own range when the guest has nothing there. */
  readonly reservedIndex: number | undefined;
  /** The tables whose entries point here, by the entries' host-physical addresses. */
  readonly parents: Map<number, ShadowTable>;
  /** Tables that its entries point to, by index. */
  readonly children: Map<number, ShadowTable>;
  /** Writes of the guest to its own table since a translation was last made through this one. */
  idleWrites: number;
}

export function keyOf({ frame, level, rights, leadsToReserved, large }: TableKind): string {
  const { writable, user, executable } = rights;
  const part = large === undefined ? "" : `large-${large.isDirty}-`;
  const way = leadsToReserved ? "reserved-" : "";
  return `${way}${part}${frame}:${level}:${Number(writable)}${Number(user)}${Number(executable)}`;
}
