/** The extensions of one processor: who takes an event, an exit or a boundary, and what a run then ends with. */
import type {
  ExtensionContext,
  ExtensionEvent,
  ExtensionHooks,
  PendingEvents,
  ProcessorExtension,
  Verdict,
} from "../extension.ts";
import type { ProcessorExit } from "../processor-options.ts";
import type { ProcessorProfile } from "../profile/profile.ts";
import type { ForeignMsrs } from "../profile/system-helpers.ts";
import type { BoundHelper } from "./engine.ts";

/** What an extension took; `exit` when the run ends with it. */
export interface Taken {
  readonly exit: ProcessorExit | undefined;
}

interface AttachedExtension {
  readonly id: string;
  readonly hooks: ExtensionHooks;
  /** Names of its counters. */
  readonly names: Readonly<Record<ExtensionEvent["kind"] | "exit", string>>;
}

export class AttachedExtensions {
  readonly #extensions: readonly AttachedExtension[];
  readonly #spendUnit: (counter: string) => void;

  /** @param spendUnit Takes a unit for something that an extension took, and counts it by name. */
  constructor(
    extensions: readonly ProcessorExtension[],
    context: ExtensionContext,
    spendUnit: (counter: string) => void,
  ) {
    this.#spendUnit = spendUnit;
    this.#extensions = extensions.map((extension) => {
      const { id } = extension;
      const name = (kind: string): string => `extensions.${id}.${kind}`;
      const names = {
        exit: name("exit"),
        exception: name("exception"),
        interrupt: name("interrupt"),
        nmi: name("nmi"),
        software: name("software"),
        shutdown: name("shutdown"),
      };
      return { id, hooks: extension.attach(context), names };
    });
  }

  /** The helper of a name. @throws {RangeError} There is none. */
  helper(name: string): BoundHelper {
    for (const { hooks } of this.#extensions) {
      const helper = hooks.helpers?.[name];
      if (helper !== undefined) return helper;
    }
    throw new RangeError(
      `No helper is called ${name}. The extension whose rows call it gives it in its hooks.`,
    );
  }

  get msrs(): readonly ForeignMsrs[] {
    return this.#extensions.flatMap(({ hooks }) => hooks.msrs ?? []);
  }

  /** Asks about an event; undefined when the processor is to deliver it. */
  offer(event: ExtensionEvent, delivering: ExtensionEvent | undefined): Taken | undefined {
    for (const { id, hooks, names } of this.#extensions) {
      const answer = hooks.event?.(event, delivering) ?? "deliver";
      if (answer === "deliver") continue;
      this.#spendUnit(names[event.kind]);
      return taken(id, answer);
    }
    return undefined;
  }

  /** An instruction or a delivery was abandoned with EXIT: the first extension takes it. */
  exit(reason: number, delivering: ExtensionEvent | undefined): Taken {
    const [first] = this.#extensions;
    if (first === undefined)
      throw new RangeError("Bug in ringside: EXIT without an extension, please report.");
    this.#spendUnit(first.names.exit);
    return taken(first.id, first.hooks.exit(reason, delivering));
  }

  /** Asks at an instruction boundary; undefined when the processor goes on. */
  askAtBoundary(pending: PendingEvents): Taken | undefined {
    for (const { id, hooks, names } of this.#extensions) {
      const answer = hooks.boundary?.(pending) ?? "deliver";
      if (answer === "deliver") continue;
      this.#spendUnit(names.exit);
      return taken(id, answer);
    }
    return undefined;
  }

  /** Whether one takes NMIs whatever the guest blocks. */
  takesBlockedNmi(): boolean {
    return this.#extensions.some(({ hooks }) => hooks.takesBlockedNmi?.() ?? false);
  }

  /** The reason of the exit that a task switch is instead, or undefined. */
  taskSwitch(selector: number, kind: number): number | undefined {
    for (const { hooks } of this.#extensions) {
      const reason = hooks.taskSwitch?.(selector, kind);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }
}

function taken(id: string, verdict: Verdict): Taken {
  if (verdict === "continue") return { exit: undefined };
  return { exit: { reason: "extension", id, value: verdict.leave } };
}

/** A profile with the features that extensions bring. */
export function withExtensions(
  profile: ProcessorProfile,
  extensions: readonly ProcessorExtension[],
): ProcessorProfile {
  const brought = extensions.flatMap(({ features }) => features ?? []);
  if (brought.length === 0) return profile;
  return { ...profile, features: new Set([...profile.features, ...brought]) };
}
