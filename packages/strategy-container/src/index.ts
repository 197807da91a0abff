/**
 * Containers: guest programs run on one shared kernel, and there is no guest kernel.
 *
 * @packageDocumentation
 */
export {};
