/** `--disk`, `--share` and `--net`: what of this host is plugged into a machine. */
import { InvalidArgumentError } from "commander";
import { ImageError, UserNetwork, type Hardware } from "@ringside/machine";
import { nodeSockets, openDisk, openFolder, type FileDisk } from "@ringside/machine-node";
import { CommandError } from "../failure.ts";

/** A path and whether the guest may write there. */
export interface HostPath {
  readonly path: string;
  readonly writable: boolean;
}

export interface HardwareOptions {
  readonly disk: readonly HostPath[];
  readonly share: readonly HostPath[];
  readonly net: "user" | "none";
}

const writableSuffix = ",writable";

/** `FILE` or `FILE,writable`. @throws {InvalidArgumentError} Nothing before the comma. */
export function parseHostPath(text: string): HostPath {
  const writable = text.endsWith(writableSuffix);
  const path = writable ? text.slice(0, -writableSuffix.length) : text;
  if (path === "")
    throw new InvalidArgumentError("Give a path, and ,writable behind it if wanted.");
  return { path, writable };
}

/** What a guest mounts the shares by: `share`, `share1`, `share2`. */
export function shareTag(index: number): string {
  return index === 0 ? "share" : `share${index}`;
}

/** Hardware with files of the host open behind it. */
export interface PluggedIn extends Disposable {
  readonly hardware: Hardware;
}

/** @throws {CommandError} A disk or a share is not there, or is none. */
export function plugIn(options: HardwareOptions): PluggedIn {
  const disks: FileDisk[] = [];
  const close = (): void => {
    for (const disk of disks) disk[Symbol.dispose]();
  };
  try {
    for (const { path, writable } of options.disk)
      disks.push(opened(path, "disk image", () => openDisk(path, { writable })));
    const shares = options.share.map(({ path, writable }, index) => {
      if (writable) {
        throw new CommandError(
          `--share ${path}${writableSuffix}: shares are for reading only, so far. Leave ${writableSuffix} out.`,
        );
      }
      const folder = opened(path, "folder to share", () => openFolder(path));
      return { tag: shareTag(index), folder };
    });
    const networks = options.net === "user" ? [{ link: new UserNetwork(nodeSockets()) }] : [];
    return {
      hardware: { disks: disks.map((store) => ({ store })), shares, networks },
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function opened<T>(path: string, what: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    if (cause instanceof ImageError)
      throw new CommandError(`${path} is no ${what}. ${cause.message}`, undefined, { cause });
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new CommandError(`${path} cannot be opened as a ${what} (${code}).`, undefined, {
      cause,
    });
  }
}
