/** `--epoch`, which commands that run one guest share: the time of day is an input like any other. */
import { InvalidArgumentError, Option } from "commander";

/** The last second of the year 9999: a PC's clock has four digits for the year. */
const secondsMaximum = 253_402_300_799;

export interface EpochOptions {
  /** Seconds since 1970-01-01T00:00:00Z. */
  readonly epoch?: number;
}

export function epochOption(): Option {
  return new Option(
    "--epoch <seconds>",
    "what the guest's clock shows at first, in seconds since 1970; give it for runs that are alike (default: now)",
  ).argParser(parseEpoch);
}

/** What was asked for, or the time of this machine. */
export function epochSecondsOf({ epoch }: EpochOptions): number {
  return epoch ?? Math.floor(Date.now() / 1000);
}

function parseEpoch(text: string): number {
  const seconds = Number(text);
  if (/^\d+$/u.test(text) && seconds <= secondsMaximum) return seconds;
  throw new InvalidArgumentError(`Give whole seconds since 1970, at most ${secondsMaximum}.`);
}
