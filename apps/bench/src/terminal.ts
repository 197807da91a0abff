/** What the terminal takes: colours only where a person looks at them. */
import ora from "ora";
import picocolors from "picocolors";

export type Colours = ReturnType<typeof picocolors.createColors>;

/** Colours for a stream: none in pipes and none under NO_COLOR (https://no-color.org). */
export function colours(stream: NodeJS.WriteStream): Colours {
  if (process.env["NO_COLOR"] !== undefined) return picocolors.createColors(false);
  // isTTY is undefined in pipes, and createColors would take that for a wish to decide by itself.
  if (process.env["FORCE_COLOR"] !== undefined || stream.isTTY)
    return picocolors.createColors(true);
  return picocolors.createColors(false);
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
