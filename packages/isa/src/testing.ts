/**
 * Tests of instructions: tables of inputs and results, run on every back end.
 *
 * @packageDocumentation
 */
export {};
