/** The table of system calls: the rows of all topics. */
import { systemCallTable, type SystemCallTable } from "../kernel/system-call.ts";
import { copyingCalls } from "./copying.ts";
import { descriptorCalls } from "./descriptors.ts";
import { directoryCalls } from "./directories.ts";
import { futexCalls } from "./futex.ts";
import { identityCalls } from "./identity.ts";
import { ioCalls } from "./io.ts";
import { memoryCalls } from "./memory.ts";
import { mountCalls } from "./mounts.ts";
import { openingCalls } from "./opening.ts";
import { pollCalls } from "./poll.ts";
import { processCalls } from "./processes.ts";
import { signalCalls } from "./signals.ts";
import { statCalls } from "./stat.ts";
import { systemCalls } from "./system.ts";
import { timeCalls } from "./time.ts";
import { waitingCalls } from "./waiting.ts";

export const linuxSystemCalls: SystemCallTable = systemCallTable([
  ioCalls,
  descriptorCalls,
  copyingCalls,
  pollCalls,
  openingCalls,
  statCalls,
  directoryCalls,
  memoryCalls,
  processCalls,
  waitingCalls,
  futexCalls,
  signalCalls,
  timeCalls,
  identityCalls,
  systemCalls,
  mountCalls,
]);
