/**
 * The contract that every virtualization strategy implements. Holds no implementation of any.
 *
 * @packageDocumentation
 */
export {};
