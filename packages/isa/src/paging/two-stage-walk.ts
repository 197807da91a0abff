/**
 * The page walk over a second stage of translation: what paging takes for physical addresses is translated once more,
 * the paging structures' own addresses included.
 *
 * Intel SDM Vol. 3C §28.3.2, "EPT Translation Mechanism" (the example of such a stage).
 */
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import type { EntryAccess } from "./entry-access.ts";
import { ACCESS_TABLE, ACCESS_WRITE } from "./tag.ts";
import { pageWalk } from "./walk.ts";

const PAGE_OFFSET = 0xfffn;
/** The six denials of a tag. */
const DENIALS = 0x3fn;

/**
 * Makes the walk of a processor with a second stage.
 *
 * @param secondStage Gives the host's page and its denials for a guest-physical address and a kind of access; may raise.
 */
export function twoStageWalk(secondStage: Routine): Routine {
  const hostOf = (m: SemanticsBuilder, physical: Value, access: number): Value => {
    const page = m.call(secondStage, physical, m.constant(access));
    return m.or(m.and(page, m.constant(~PAGE_OFFSET)), m.and(physical, m.constant(PAGE_OFFSET)));
  };
  const entries: EntryAccess = {
    read(m, physical) {
      m.count("walkReferences");
      return m.loadPhysical(hostOf(m, physical, ACCESS_TABLE));
    },
    write(m, physical, entry) {
      m.storePhysical(hostOf(m, physical, ACCESS_TABLE | ACCESS_WRITE), entry);
    },
  };
  const firstStage = pageWalk("walkFirstStage", entries);
  return {
    name: "walk",
    parameters: ["i64", "i64"],
    result: "i64",
    raises: true,
    body(m, ...[linear, access]) {
      if (linear === undefined || access === undefined)
        throw new RangeError("A page walk takes two parameters.");
      // For the second stage, should it leave: which linear address is being translated.
      m.setState(slots.walkLinear, linear);
      const first = m.call(firstStage, linear, access);
      const guest = m.or(
        m.and(first, m.constant(~PAGE_OFFSET)),
        m.and(linear, m.constant(PAGE_OFFSET)),
      );
      const host = m.call(secondStage, guest, access);
      const denied = m.or(m.and(host, m.constant(DENIALS)), m.and(first, m.constant(PAGE_OFFSET)));
      return m.or(m.and(host, m.constant(~PAGE_OFFSET)), denied);
    },
  };
}
