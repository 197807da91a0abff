/** A folder that a machine sees, whatever is behind it. */

export type SharedKind = "file" | "folder" | "link";

export interface SharedStatus {
  readonly kind: SharedKind;
  /** 0 for folders; the length of a link's target. */
  readonly sizeBytes: number;
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
  | "ENOENT"
  | "EACCES"
  | "ENOTDIR"
  | "EISDIR"
  | "EINVAL"
  | "EROFS"
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
}

export interface SharedFile {
  /** Fills `bytes` from `offset` on, as far as the file goes; gives how many. */
  read(offset: number, bytes: Uint8Array): number;
  close(): void;
}
