/** What the terminal takes: colours only where a person looks at them. */
import ora from "ora";
import picocolors from "picocolors";

export type Colours = ReturnType<typeof picocolors.createColors>;

/** Colours for a stream: on a terminal, unless NO_COLOR is set (https://no-color.org); in pipes by FORCE_COLOR. */
export function colours(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Colours {
  const { NO_COLOR: none = "", FORCE_COLOR: forced } = environment;
  const isForced = forced !== undefined && forced !== "0" && forced !== "false";
  // isTTY is undefined in pipes, and createColors would take that for a wish to decide by itself.
  const isWanted = none === "" && (isForced || (forced === undefined && stream.isTTY === true));
  return picocolors.createColors(isWanted);
}

/** How wide a terminal is; undefined in pipes and files, whose lines may be as long as they need. */
export function columnsOf(stream: {
  readonly isTTY?: boolean;
  readonly columns?: number;
}): number | undefined {
  return stream.isTTY === true ? stream.columns : undefined;
}

/** Says on the error stream what is going on; one changing line on a terminal, silent in pipes. */
export interface Progress {
  update(text: string): void;
  stop(): void;
}

export function progress(): Progress {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const spinner = ora({ stream: process.stderr, discardStdin: false }).start();
  return {
    update(text) {
      spinner.text = text;
    },
    stop() {
      spinner.stop();
    },
  };
}
