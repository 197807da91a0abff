/**
 * Registers the conformance suite with Vitest.
 *
 * @packageDocumentation
 */
export {};
