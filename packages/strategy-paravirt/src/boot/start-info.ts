/** The page that tells a domain what it has. Xen, xen/include/public/xen.h, start_info. */
import { ImageError } from "@ringside/machine";
import { COMMAND_LINE_BYTES, START_INFO, START_INFO_MAGIC } from "../abi/domain.ts";

export interface StartInfo {
  readonly pageCount: number;
  /** Physical address. */
  readonly sharedInfo: number;
  readonly flags: number;
  readonly storeFrame: number;
  readonly consoleFrame: number;
  readonly consolePort: number;
  /** Linear addresses. */
  readonly tables: bigint;
  readonly tableFrames: number;
  readonly frameList: bigint;
  /** A linear address, or a frame of the domain's. */
  readonly moduleStart: bigint;
  readonly moduleBytes: number;
  readonly commandLine: string;
  readonly firstListFrame: number;
  readonly listFrames: number;
}

export function startInfoBytes(info: StartInfo): Uint8Array {
  const bytes = new Uint8Array(START_INFO.bytes);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number | bigint): void => {
    view.setBigUint64(at, BigInt(value), true);
  };
  bytes.set(new TextEncoder().encode(START_INFO_MAGIC), START_INFO.magic);
  word(START_INFO.pageCount, info.pageCount);
  word(START_INFO.sharedInfo, info.sharedInfo);
  word(START_INFO.flags, info.flags);
  word(START_INFO.storeFrame, info.storeFrame);
  // No port for the store: there is none to talk to.
  word(START_INFO.storePort, 0);
  word(START_INFO.consoleFrame, info.consoleFrame);
  word(START_INFO.consolePort, info.consolePort);
  word(START_INFO.tables, info.tables);
  word(START_INFO.tableFrames, info.tableFrames);
  word(START_INFO.frameList, info.frameList);
  word(START_INFO.moduleStart, info.moduleStart);
  word(START_INFO.moduleBytes, info.moduleBytes);
  bytes.set(bytesOfCommandLine(info.commandLine), START_INFO.commandLine);
  word(START_INFO.firstListFrame, info.firstListFrame);
  word(START_INFO.listFrames, info.listFrames);
  return bytes;
}

/** @throws {ImageError} when it is not ASCII or too long. */
export function bytesOfCommandLine(commandLine: string): Uint8Array {
  const bytes = new TextEncoder().encode(commandLine);
  if (bytes.some((byte) => byte === 0 || byte > 0x7f)) {
    throw new ImageError("command line", 0, "ASCII", JSON.stringify(commandLine));
  }
  if (bytes.length >= COMMAND_LINE_BYTES) {
    throw new ImageError(
      "command line",
      0,
      `fewer than ${COMMAND_LINE_BYTES} bytes`,
      String(bytes.length),
    );
  }
  return bytes;
}
