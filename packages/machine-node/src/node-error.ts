/** Errors of the host's file system in a shared folder's terms. */
import { SharedFolderError, type SharedFolderErrorCode } from "@ringside/machine";

const codes: Readonly<Record<string, SharedFolderErrorCode>> = {
  ENOENT: "ENOENT",
  EACCES: "EACCES",
  EPERM: "EPERM",
  ELOOP: "EACCES",
  ENOTDIR: "ENOTDIR",
  EISDIR: "EISDIR",
  EINVAL: "EINVAL",
  EEXIST: "EEXIST",
  ENOTEMPTY: "ENOTEMPTY",
  ENOSPC: "ENOSPC",
  EDQUOT: "ENOSPC",
  EFBIG: "EFBIG",
  EROFS: "EROFS",
  EXDEV: "EXDEV",
  EBUSY: "EBUSY",
  ETXTBSY: "EBUSY",
  ENAMETOOLONG: "ENAMETOOLONG",
  // The process's limit is the machine's whole host.
  EMFILE: "ENFILE",
  ENFILE: "ENFILE",
};

/** Runs an operation of Node's file system, whose errors become those of a shared folder. */
export function attempt<T>(operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const code = "code" in cause && typeof cause.code === "string" ? codes[cause.code] : undefined;
    throw new SharedFolderError(code ?? "EIO", cause.message, { cause });
  }
}
