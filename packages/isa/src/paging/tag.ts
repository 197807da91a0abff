/**
 * The TLB tag: what a page denies, as the page walk returns it and the TLB stores it.
 *
 * ```
 * 63                                12 11       9   8      7      6      5   4   3   2   1   0
 * +-----------------------------------+----------+------+------+------+---+---+---+---+---+---+
 * | physical address of a 4-KByte page| ignored  | large|global|direct|UX |UW |UR |SX |SW |SR |
 * +-----------------------------------+----------+------+------+------+---+---+---+---+---+---+
 * ```
 *
 * An access is allowed when none of the bits that its mask names is set (slots `readMask`, `writeMask` and
 * `executeMask`, made by exceptions/mode.ts). Denials instead of permissions make the check one AND.
 */

/** Supervisor data reads: set for user pages while CR4.SMAP is 1. Masks leave the bit out while EFLAGS.AC is 1. */
export const DENY_SUPERVISOR_READ = 1;
/** Supervisor writes: the page is read-only under CR0.WP, or its D flag is still 0 so that the first write walks. */
export const DENY_SUPERVISOR_WRITE = 2;
export const DENY_SUPERVISOR_EXECUTE = 4;
export const DENY_USER_READ = 8;
/** User writes: as for the supervisor, and read-only whatever CR0.WP is. */
export const DENY_USER_WRITE = 16;
export const DENY_USER_EXECUTE = 32;
/** Set by the engine, never by the walk: the access may not go straight to memory (MMIO, writes to a page with code). */
export const DENY_DIRECT = 64;
/**
 * Set in every tag of the TLB that is in use, where the walk's result has TAG_GLOBAL: a mask that names it denies everything,
 * so that each access goes the slow way and its alignment is checked.
 */
export const DENY_UNALIGNED = 128;
/** The translation survives a CR3 load: the leaf's G flag under CR4.PGE. */
export const TAG_GLOBAL = 128;
/** The leaf maps more than 4 KBytes, so that INVLPG of any address in it must drop all of its parts. */
export const TAG_LARGE = 256;

/** Distance between a supervisor denial and the user denial of the same kind of access. */
export const USER_DENIAL_SHIFT = 3;

/**
 * Kinds of access a walk is asked for: the positions of the page-fault error code, and two that no error code has.
 * Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions".
 */
export const ACCESS_WRITE = 2;
export const ACCESS_USER = 4;
export const ACCESS_EXECUTE = 16;
/** A stack access: a non-canonical address is #SS(0) instead of #GP(0). */
export const ACCESS_STACK = 0x100;
/** An implicit supervisor access (descriptor tables, TSS): SMAP applies whatever EFLAGS.AC is. */
export const ACCESS_IMPLICIT = 0x200;
/** For a second stage of translation: a paging structure of the first stage is read, or with the write bit written. */
export const ACCESS_TABLE = 0x400;

/**
 * The TLB keeps the denials above the linear page number, so that one AND and one comparison check page and rights:
 * bits 51:0 are the page number, the denials start at bit 52.
 */
export const TAG_DENIAL_SHIFT = 52;
export const TAG_PAGE_NUMBER = 0x000f_ffff_ffff_ffffn;
