/** Programs and files from the host's disk, as a guest sees them. */
import { readFile, stat } from "node:fs/promises";
import { basename, posix, resolve } from "node:path";
import type { GuestFile } from "@ringside/strategy";
import { CommandError, errorCode, STATUS } from "../failure.ts";

const EXECUTABLE_BITS = 0o111;
const PERMISSION_BITS = 0o7777;

/** A program and where the guest finds it. */
export interface HostProgram {
  readonly path: string;
  readonly file: GuestFile;
}

/**
 * Reads a program; the guest sees it at its absolute path on the host.
 *
 * @throws {CommandError} Status 127 when there is none, 126 when it cannot be executed.
 */
export async function readProgram(path: string): Promise<HostProgram> {
  const absolute = resolve(path);
  let mode: number;
  try {
    const found = await stat(absolute);
    if (!found.isFile())
      throw new CommandError(
        `${path} is not a file. Name a static Linux x86-64 program.`,
        STATUS.notExecutable,
      );
    mode = found.mode & PERMISSION_BITS;
  } catch (error) {
    throw asProgramError(path, error);
  }
  if ((mode & EXECUTABLE_BITS) === 0) {
    throw new CommandError(
      `${path} is not executable. Set its x permission, or name another program.`,
      STATUS.notExecutable,
    );
  }
  try {
    return { path: absolute, file: { bytes: await readFile(absolute), mode } };
  } catch (error) {
    throw asProgramError(path, error);
  }
}

const PROGRAM_HEADER_BYTES = 56;
const PT_INTERP = 3;

/**
 * Refuses a dynamic program whose loader the guest does not have. Anything that is no ELF64 file passes: the guest's
 * kernel judges it.
 *
 * @throws {CommandError} Status 126: it would end with "No such file or directory", which says nothing.
 */
export function requireInterpreter(
  path: string,
  { file: { bytes } }: HostProgram,
  files: ReadonlyMap<string, GuestFile>,
): void {
  const interpreter = interpreterOf(bytes);
  if (interpreter === undefined || files.has(posix.normalize(interpreter))) return;
  throw new CommandError(
    `${path} is dynamically linked and wants ${interpreter}. Give a static program, or the loader and the libraries with --file.`,
    STATUS.notExecutable,
  );
}

/** System V ABI, "Program Loading": the path in the PT_INTERP segment. */
function interpreterOf(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f45_4c46 || bytes[4] !== 2) return undefined;
  const headers = Number(view.getBigUint64(32, true));
  for (let index = 0; index < view.getUint16(56, true); index += 1) {
    const at = headers + index * PROGRAM_HEADER_BYTES;
    if (!Number.isSafeInteger(at) || at + PROGRAM_HEADER_BYTES > bytes.length) return undefined;
    if (view.getUint32(at, true) !== PT_INTERP) continue;
    const from = Number(view.getBigUint64(at + 8, true));
    const size = Number(view.getBigUint64(at + 32, true));
    const text = new TextDecoder().decode(bytes.subarray(from, from + size));
    return text.replace(/\0[^]*$/u, "");
  }
  return undefined;
}

function asProgramError(path: string, error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const code = errorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new CommandError(
      `There is no program ${path}. Give the path of a static Linux x86-64 program.`,
      STATUS.notFound,
      { cause: error },
    );
  }
  return new CommandError(`${path} cannot be read (${code}).`, STATUS.notExecutable, {
    cause: error,
  });
}

/**
 * Reads the files of `--file HOST[:GUEST]`. Without a guest path the file lies in the root under its own name.
 *
 * @throws {CommandError} A file that cannot be read, or a guest path that is not absolute.
 */
export async function readFiles(
  specifications: readonly string[],
): Promise<ReadonlyMap<string, GuestFile>> {
  const files = new Map<string, GuestFile>();
  for (const specification of specifications) {
    const at = specification.lastIndexOf(":");
    const host = at <= 0 ? specification : specification.slice(0, at);
    const guest = at <= 0 ? `/${basename(specification)}` : specification.slice(at + 1);
    if (!guest.startsWith("/") || guest.endsWith("/")) {
      throw new CommandError(
        `--file ${specification}: the guest path "${guest}" is not that of a file. Give an absolute path, as in ./data.txt:/data.txt.`,
      );
    }
    try {
      const { mode } = await stat(host);
      files.set(posix.normalize(guest), {
        bytes: await readFile(host),
        mode: mode & PERMISSION_BITS,
      });
    } catch (error) {
      throw new CommandError(
        `--file ${specification}: ${host} cannot be read (${errorCode(error)}).`,
        undefined,
        { cause: error },
      );
    }
  }
  return files;
}
