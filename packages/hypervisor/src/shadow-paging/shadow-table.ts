/** One shadow page table, and what leads to it. */

/** Rights along the way to a table, which its leaves combine with their own. */
export interface Rights {
  readonly writable: boolean;
  readonly user: boolean;
  readonly executable: boolean;
}

export interface ShadowTable {
  readonly key: string;
  /** Host-physical address. */
  readonly frame: number;
  /** 4 for the root, 1 for tables of leaves. */
  readonly level: number;
  /** Frame number of the guest's table that it shadows; undefined for the parts of a large page. */
  readonly guestFrame: number | undefined;
  /** The tables whose entries point here, by the entries' host-physical addresses. */
  readonly parents: Map<number, ShadowTable>;
  /** Tables that its entries point to, by index. */
  readonly children: Map<number, ShadowTable>;
  /** Writes of the guest to its own table since a translation was last made through this one. */
  idleWrites: number;
}

export function keyOf(
  frame: number,
  level: number,
  { writable, user, executable }: Rights,
  part: string,
): string {
  return `${part}${frame}:${level}:${Number(writable)}${Number(user)}${Number(executable)}`;
}
