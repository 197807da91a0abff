#!/usr/bin/env node
/**
 * The `ringside` command.
 *
 * @packageDocumentation
 */
export {};
