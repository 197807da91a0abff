/** `--disk`, `--share`, `--net` and `--entropy`: what of this host is plugged into a machine. */
import { InvalidArgumentError } from "commander";
import { ImageError, UserNetwork, type Hardware } from "@ringside/machine";
import { nodeSockets, openDisk, openFolder, type FileDisk } from "@ringside/machine-node";
import { CommandError, errorCode } from "../failure.ts";

/** A path and whether the guest may write there. */
export interface HostPath {
  readonly path: string;
  readonly writable: boolean;
}

export interface HardwareOptions {
  readonly disk: readonly HostPath[];
  readonly share: readonly HostPath[];
  readonly net: "user" | "none";
  /** 32 bits. */
  readonly entropy?: number;
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

const seedMaximum = 0xffff_ffff;

/** A seed of 32 bits, decimal or hexadecimal. @throws {InvalidArgumentError} Anything else. */
export function parseSeed(text: string): number {
  const seed = /^(?:\d+|0x[\da-f]+)$/iu.test(text) ? Number(text) : Number.NaN;
  if (!(seed <= seedMaximum))
    throw new InvalidArgumentError(`Give a whole number from 0 to ${seedMaximum}.`);
  return seed;
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
    const shares = options.share.map(({ path, writable }, index) => ({
      tag: shareTag(index),
      folder: opened(path, "folder to share", () => openFolder(path, { writable })),
    }));
    const networks = options.net === "user" ? [{ link: new UserNetwork(nodeSockets()) }] : [];
    const entropy = options.entropy === undefined ? {} : { entropySeed: options.entropy };
    return {
      hardware: { disks: disks.map((store) => ({ store })), shares, networks, ...entropy },
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
      throw new CommandError(`${path} is no ${what}: ${withoutFile(cause)}`, undefined, { cause });
    throw new CommandError(
      `${path} cannot be opened as a ${what} (${errorCode(cause)}).`,
      undefined,
      { cause },
    );
  }
}

/** The file is named in front already. */
function withoutFile({ file, message }: ImageError): string {
  return message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message;
}
