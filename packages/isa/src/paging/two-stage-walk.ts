/**
 * The page walk over a second stage of translation: what paging takes for physical addresses is translated once more,
 * the paging structures' own addresses included.
 *
 * Intel SDM Vol. 3C §29.3.2, "EPT Translation Mechanism" (the example of such a stage).
 */
import type { Routine } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import type { EntryAccess } from "./entry-access.ts";
import { loadPointers, pointerLoad } from "./page-directory-pointers.ts";
import { ACCESS_TABLE, ACCESS_WRITE } from "./tag.ts";
import { pageWalk } from "./walk.ts";

const PAGE_OFFSET = 0xfffn;
/** The six denials of a tag. */
const DENIALS = 0x3fn;
/** Bit 0 of a place: the second stage denies writing there. */
const WRITE_DENIED = 1n;

/**
 * Makes the walk of a processor with a second stage.
 *
 * @param secondStage Gives the host's page and its denials for a guest-physical address and a kind of access; may raise.
 */
export function twoStageWalk(secondStage: Routine): Routine {
  const entries = twoStageEntries(secondStage);
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

/** Makes the load of the PDPTE registers of a processor with a second stage. */
export function twoStagePointerLoad(secondStage: Routine): Routine {
  return { ...pointerLoad(twoStageEntries(secondStage)), replaces: loadPointers };
}

/** Paging structures whose addresses the second stage translates. */
function twoStageEntries(secondStage: Routine): EntryAccess {
  return {
    locate(m, physical) {
      m.count("walkReferences");
      const page = m.call(secondStage, physical, m.constant(ACCESS_TABLE));
      const host = m.or(
        m.and(page, m.constant(~PAGE_OFFSET)),
        m.and(physical, m.constant(PAGE_OFFSET)),
      );
      const writeDenied = m.and(
        m.shiftRightUnsigned(page, m.constant(1)),
        m.constant(WRITE_DENIED),
      );
      return { physical, host: m.or(host, writeDenied) };
    },
    read: (m, { host }) => m.loadPhysical(m.and(host, m.constant(~WRITE_DENIED))),
    write(m, { physical, host }, entry) {
      // The translation is at hand; only what it denies is asked for again, so that the second stage says why.
      m.when(m.and(host, m.constant(WRITE_DENIED)), () => {
        m.call(secondStage, physical, m.constant(ACCESS_TABLE | ACCESS_WRITE));
      });
      m.storePhysical(m.and(host, m.constant(~WRITE_DENIED)), entry);
    },
  };
}
