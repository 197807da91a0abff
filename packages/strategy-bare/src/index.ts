/**
 * The baseline: the guest kernel owns the machine, and nothing stands in between.
 *
 * @packageDocumentation
 */
export {};
