/**
 * The suite that every strategy passes, as data.
 *
 * @packageDocumentation
 */
export {};
