/**
 * Everything `pnpm check` asks, in the order that fails soonest.
 *
 * A step is a command line of the repository's root: what it prints is what a person sees who runs it alone.
 */
export interface Step {
  /** Names the step in the summary, and after `--skip`. */
  readonly id: string;
  readonly command: string;
}

export const steps: readonly Step[] = [
  { id: "format", command: "pnpm fmt:check" },
  { id: "lint", command: "pnpm lint" },
  { id: "types", command: "pnpm typecheck" },
  { id: "boundaries", command: "pnpm boundaries" },
  { id: "rules", command: "pnpm rules" },
  { id: "unused", command: "pnpm knip" },
  { id: "test", command: "pnpm test" },
  { id: "packages", command: "pnpm check:packages" },
  { id: "readme", command: "pnpm check:readme" },
  { id: "explained", command: "pnpm check:explained" },
  { id: "outsider", command: "pnpm outsider" },
  { id: "test-node22", command: "pnpm test:node22" },
];
