/**
 * Who a process is, and what files it may use.
 *
 * User 0 has all capabilities; there is no finer set. Linux, capabilities(7) and path_resolution(7).
 */
import { DirectoryInode, type Inode } from "../files/inode.ts";

export interface Credentials {
  user: number;
  effectiveUser: number;
  savedUser: number;
  group: number;
  effectiveGroup: number;
  savedGroup: number;
  /** At most 1024. */
  supplementary: readonly number[];
}

export function rootCredentials(): Credentials {
  return {
    user: 0,
    effectiveUser: 0,
    savedUser: 0,
    group: 0,
    effectiveGroup: 0,
    savedGroup: 0,
    supplementary: [],
  };
}

/** Whether `mask` (4 read, 2 write, 1 execute or search) is granted on `inode`. */
export function mayAccess(credentials: Credentials, inode: Inode, mask: number): boolean {
  const { mode } = inode;
  if (credentials.effectiveUser === 0) {
    // Even the superuser executes only what somebody may execute.
    return (mask & 1) === 0 || (mode & 0o111) !== 0 || inode instanceof DirectoryInode;
  }
  const inGroup =
    credentials.effectiveGroup === inode.group || credentials.supplementary.includes(inode.group);
  const granted =
    credentials.effectiveUser === inode.user ? mode >>> 6 : inGroup ? mode >>> 3 : mode;
  return (granted & mask) === mask;
}

/** Whether the process may change `inode`'s mode, owner and times. */
export function owns(credentials: Credentials, inode: Inode): boolean {
  return credentials.effectiveUser === 0 || credentials.effectiveUser === inode.user;
}
