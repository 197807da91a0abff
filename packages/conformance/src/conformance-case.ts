/** What a case of the suite is: data with a sentence, so that a test runner, a command or a page can run it. */
import type { Capabilities, Host, Strategy } from "@ringside/strategy";

/** What a case runs against. */
export interface Subject {
  readonly strategy: Strategy;
  /** At least 128 MiB, with no machine on it. A case leaves it as it found it. */
  readonly host: Host;
}

export interface ConformanceCase {
  /** Reads as a sentence after the strategy's name. */
  readonly name: string;
  /** Runs only when the strategy says that it has this capability, or all of these. */
  readonly requires?: keyof Capabilities | readonly (keyof Capabilities)[];
  /** Runs only when it says that it lacks it: checks the documented refusal, so that a wrong claim fails. */
  readonly lacks?: keyof Capabilities;
  /** Throws, or rejects with, an `Error` when the strategy breaks the rule. */
  readonly run: (subject: Subject) => void | Promise<void>;
}

/** Whether a case applies, by the strategy's own word. */
export function applies({ requires, lacks }: ConformanceCase, { capabilities }: Strategy): boolean {
  if (![requires ?? []].flat().every((capability) => capabilities[capability])) return false;
  return lacks === undefined || !capabilities[lacks];
}

/** Memory of the host that a {@link Subject} needs. */
export const subjectHostBytes: number = 128 * 1024 * 1024;
