/** The table of system calls: the rows of all topics. */
import { systemCallTable, type SystemCallTable } from "../kernel/system-call.ts";
import { directoryCalls } from "./directories.ts";
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

export const linuxSystemCalls: SystemCallTable = systemCallTable([
  ioCalls,
  pollCalls,
  openingCalls,
  statCalls,
  directoryCalls,
  memoryCalls,
  processCalls,
  signalCalls,
  timeCalls,
  identityCalls,
  systemCalls,
  mountCalls,
]);
