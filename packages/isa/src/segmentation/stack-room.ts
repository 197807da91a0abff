/** Whether a stack that is about to be switched to has room for a frame. Intel SDM Vol. 3A §5.3, "Limit Checking". */
import { hasBits } from "../exceptions/mode.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { ATTRIBUTES, TYPE } from "./attributes.ts";

/** A stack segment, and what is to be pushed. */
export interface StackRoom {
  readonly attributes: Value;
  readonly limit: Value;
  /** Stack pointer before the first push. */
  readonly pointer: Value;
  readonly bytes: Value;
}

/** Raises #SS with `errorCode` unless the bytes below the stack pointer are inside the segment. */
export function requireStackRoom(m: SemanticsBuilder, room: StackRoom, errorCode: Value): void {
  const { attributes, limit, pointer, bytes } = room;
  const top = m.select(
    hasBits(m, attributes, ATTRIBUTES.BIG),
    m.constant(0xffff_ffffn),
    m.constant(0xffff),
  );
  const first = m.and(m.subtract(pointer, bytes, 64), top);
  const last = m.and(m.subtract(pointer, m.constant(1), 64), top);
  const isWhole = m.isFalse(m.lessThanUnsigned(last, first));
  const isInside = m.select(
    hasBits(m, attributes, TYPE.CONFORMING),
    m.lessThanUnsigned(limit, first),
    m.isFalse(m.lessThanUnsigned(limit, last)),
  );
  m.raiseWhen(m.isFalse(m.both(isWhole, isInside)), "SS", errorCode);
}
