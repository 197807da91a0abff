/** What a machine is told of a file of the host. */
import type { Stats } from "node:fs";
import { SharedFolderError, type SharedStatus } from "@ringside/machine";

/** stat(2): the unit of `st_blocks`. */
const blockBytes = 512;

/** @throws {SharedFolderError} ENOENT for what a machine shall not see. */
export function statusOf(stats: Stats): SharedStatus {
  const kind = stats.isDirectory()
    ? "folder"
    : stats.isSymbolicLink()
      ? "link"
      : stats.isFile()
        ? "file"
        : undefined;
  // Devices, pipes and sockets of the host are nobody else's business.
  if (kind === undefined)
    throw new SharedFolderError("ENOENT", "There is something else than a file, folder or link.");
  return {
    kind,
    sizeBytes: kind === "folder" ? 0 : stats.size,
    allottedBytes: stats.blocks * blockBytes,
    mode: stats.mode & 0o7777,
    userId: stats.uid,
    groupId: stats.gid,
    modifiedSeconds: stats.mtimeMs / 1000,
    inode: stats.ino,
  };
}
