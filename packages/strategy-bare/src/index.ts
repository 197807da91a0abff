/**
 * The baseline: the guest kernel owns the machine, and nothing stands in between.
 *
 * Every ratio in a report is taken against this strategy, and the others are judged by whether they leave the
 * same machine behind, so it adds no handler of its own.
 *
 * @packageDocumentation
 */
export { bare } from "./bare.ts";
