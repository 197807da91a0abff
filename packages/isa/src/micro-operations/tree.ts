/**
 * Micro-operations: what recording a row's semantics gives, and what emitters read.
 *
 * A recording is a tree of statements over shared expressions. Nothing in it depends on a particular decoded
 * instruction: what varies between instructions of one form is a {@link Field} of the decoded record, which the
 * interpreter loads and a translator binds to a constant. Everything that a processor remembers is a place in the state
 * block, flags included, so a translator may keep slots in locals and drop stores that nobody reads.
 */
import type { Privilege, Routine, ValueType } from "../semantics.ts";

/**
 * Fields of a decoded record. `operand0` to `operand2` are offsets in the state block for registers, or the register's
 * number for segment, control, debug and x87 registers. `base`, `index` and `segment` are offsets in the state block.
 */
export type Field =
  | "operand0"
  | "operand1"
  | "operand2"
  | "base"
  | "index"
  | "shift"
  | "segment"
  | "displacement"
  | "immediate"
  | "immediate2"
  | "thisOffset"
  | "nextOffset";

/** How an access is checked: with whose rights, and whether it counts as a reference to the stack segment. */
export interface AccessKind {
  readonly privilege: Exclude<Privilege, "stack">;
  readonly stack: boolean;
}

interface Shared {
  readonly type: ValueType;
  /** How many expressions and statements use it; an emitter keeps it in a local when more than one does. */
  uses: number;
}

/** An expression without effect whose value does not depend on when it is evaluated. */
export type PureExpression = Shared &
  (
    | { readonly kind: "constant"; readonly value: bigint }
    | { readonly kind: "vector-constant"; readonly low: bigint; readonly high: bigint }
    | { readonly kind: "field"; readonly field: Field }
    | { readonly kind: "parameter"; readonly index: number }
    | {
        readonly kind: "operation";
        readonly operation: string;
        readonly operands: readonly Expression[];
        readonly immediates: readonly number[];
      }
    | { readonly kind: "select"; readonly operands: readonly Expression[] }
    /** Address in the host's memory of a state field: the processor's base plus a fixed and an optional computed offset. */
    | { readonly kind: "state-address"; readonly operands: readonly Expression[] }
  );

/** An expression that is evaluated where it was recorded. */
export type OrderedExpression = Shared &
  (
    | {
        readonly kind: "state-load";
        readonly operation: string;
        readonly offset: number;
        readonly operands: readonly Expression[];
      }
    | {
        readonly kind: "host-load";
        readonly operation: string;
        readonly offset: number;
        readonly operands: readonly Expression[];
      }
    | {
        readonly kind: "variable-get";
        readonly variable: RecordedVariable;
        readonly operands: readonly Expression[];
      }
    | {
        readonly kind: "memory-load";
        readonly operation: string;
        readonly bytes: number;
        readonly access: AccessKind;
        readonly operands: readonly Expression[];
      }
    /** Host address that can be written directly, or 0 when each access must go the slow way. */
    | {
        readonly kind: "write-probe";
        readonly bytes: number;
        readonly access: AccessKind;
        readonly operands: readonly Expression[];
      }
    /** Load through an earlier write probe: operands are the probe and the linear address. */
    | {
        readonly kind: "probed-load";
        readonly operation: string;
        readonly bytes: number;
        readonly access: AccessKind;
        readonly operands: readonly Expression[];
      }
    | {
        readonly kind: "routine-call";
        readonly routine: string;
        readonly raises: boolean;
        readonly operands: readonly Expression[];
      }
    | {
        readonly kind: "helper-call";
        readonly helper: string;
        readonly operands: readonly Expression[];
      }
  );

export type Expression = PureExpression | OrderedExpression;

/** A mutable local. Its number is its position among the recording's variables. */
export interface RecordedVariable {
  readonly type: ValueType;
  readonly number: number;
}

export type Statement =
  | { readonly kind: "evaluate"; readonly value: Expression }
  | {
      readonly kind: "state-store";
      readonly operation: string;
      readonly offset: number;
      readonly address: Expression | undefined;
      readonly value: Expression;
    }
  | {
      readonly kind: "host-store";
      readonly operation: string;
      readonly offset: number;
      readonly address: Expression;
      readonly value: Expression;
    }
  | {
      readonly kind: "variable-set";
      readonly variable: RecordedVariable;
      readonly value: Expression;
    }
  | {
      readonly kind: "memory-store";
      readonly operation: string;
      readonly bytes: number;
      readonly access: AccessKind;
      readonly linear: Expression;
      readonly value: Expression;
    }
  | {
      readonly kind: "probed-store";
      readonly operation: string;
      readonly bytes: number;
      readonly access: AccessKind;
      readonly probe: Expression;
      readonly linear: Expression;
      readonly value: Expression;
    }
  | {
      readonly kind: "when";
      readonly condition: Expression;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: "loop"; readonly body: readonly Statement[]; readonly condition: Expression }
  | { readonly kind: "count"; readonly counter: string }
  | { readonly kind: "raise"; readonly vector: number; readonly errorCode: Expression | undefined }
  | { readonly kind: "return"; readonly value: Expression | undefined }
  /** To the relative target of the record, whose decoded record is cached in it. */
  | { readonly kind: "jump-relative" }
  /** To a RIP, which is looked up. */
  | { readonly kind: "jump"; readonly rip: Expression }
  /** Execute the same record again: the next iteration of a repeated string instruction. */
  | { readonly kind: "repeat" };

/** A recorded form or routine. */
export interface Recording {
  readonly statements: readonly Statement[];
  readonly variables: readonly RecordedVariable[];
  /** True when it may ask the driver to look at pending events. */
  readonly rechecks: boolean;
  /** Routines that it calls, by name; those of the engine are not among them. */
  readonly routines: ReadonlyMap<string, Routine>;
}

/** Whether an expression may be evaluated anywhere after it was recorded. */
export function isPure(expression: Expression): expression is PureExpression {
  switch (expression.kind) {
    case "constant":
    case "vector-constant":
    case "field":
    case "parameter":
    case "operation":
    case "select":
    case "state-address":
      return true;
    default:
      return false;
  }
}
