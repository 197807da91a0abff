/** A folder that a machine sees, whatever is behind it. */

export type SharedKind = "file" | "folder" | "link";

export interface SharedStatus {
  readonly kind: SharedKind;
  /** 0 for folders; the length of a link's target. */
  readonly sizeBytes: number;
  /** Bytes that it takes where it is kept; without it, as many as it has. */
  readonly allottedBytes?: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  /** Seconds since 1970, with fractions. */
  readonly modifiedSeconds: number;
  /** A number of its own within the folder, 1 to 2^53 - 1; the same for names of the same file. */
  readonly inode: number;
}

/** Why something did not work; the machine gets the error number of that name. */
export type SharedFolderErrorCode =
  | "EPERM"
  | "ENOENT"
  | "EACCES"
  | "ENOTDIR"
  | "EISDIR"
  | "EINVAL"
  | "EROFS"
  | "EBUSY"
  | "EEXIST"
  | "EXDEV"
  | "EFBIG"
  | "ENOTEMPTY"
  | "ENOSPC"
  | "ENFILE"
  | "ENAMETOOLONG"
  | "EIO";

export class SharedFolderError extends Error {
  override readonly name: string = "SharedFolderError";
  readonly code: SharedFolderErrorCode;

  constructor(code: SharedFolderErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Paths are names joined by `/`, empty for the folder itself; names are never empty, `.` or `..`. Links are never
 * followed: a machine does that itself, inside the folder. All methods throw {@link SharedFolderError}.
 */
export interface SharedFolder {
  status(path: string): SharedStatus;
  /** Names in a folder, in an order that stays the same while nothing changes. */
  list(path: string): readonly string[];
  readLink(path: string): string;
  /** Opens a file for reading. */
  open(path: string): SharedFile;
  /** Absent where nothing may be changed. */
  readonly changes?: FolderChanges;
}

/** Room behind a folder, in bytes, 0 to 2^53 - 1. */
export interface FolderSpace {
  readonly totalBytes: number;
  /** What the machine may still write. */
  readonly freeBytes: number;
}

/** What a machine may do to a folder. Modes are permission bits, 0 to 0o777. */
export interface FolderChanges {
  space(): FolderSpace;
  /** Opens a file that is there for reading and writing. */
  openForWriting(path: string): WritableFile;
  /** Makes a file that is not there, and opens it. */
  create(path: string, mode: number): WritableFile;
  makeFolder(path: string, mode: number): void;
  makeLink(path: string, target: string): void;
  /** A file or a link. */
  remove(path: string): void;
  /** An empty folder. */
  removeFolder(path: string): void;
  /** @param replaces Whether a file or an empty folder may be at `to`, which then is gone. */
  rename(from: string, to: string, replaces: boolean): void;
  setSize(path: string, sizeBytes: number): void;
  setMode(path: string, mode: number): void;
  /** @param when Seconds since 1970, with fractions; or the present time, where the folder knows one. */
  setModified(path: string, when: number | "now"): void;
}

export interface SharedFile {
  /** Fills `bytes` from `offset` on, as far as the file goes; gives how many. */
  read(offset: number, bytes: Uint8Array): number;
  /** Of what was opened, also when its name is gone. */
  status(): SharedStatus;
  close(): void;
}

export interface WritableFile extends SharedFile {
  /** Writes all of `bytes` at `offset`; what lies between the end and `offset` becomes zeros. */
  write(offset: number, bytes: Uint8Array): void;
  setSize(sizeBytes: number): void;
  /** What was written survives the host's failure. */
  flush(): void;
}
