/**
 * Memory of a virtual processor: physical memory is behind accessors in TypeScript.
 *
 * Linear addresses go through the same page walk as everywhere. What walks found is kept for a while: an instruction
 * or a delivery touches the same few pages again and again, and each entry of a table is a call out of WebAssembly. Nothing is fetched: a virtual processor executes one
 * record that it was given.
 */
import { neededRights } from "../paging/leaf.ts";
import { ACCESS_EXECUTE, ACCESS_USER } from "../paging/tag.ts";
import type { Recorder } from "../micro-operations/recorder.ts";
import type { Routine, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { ENGINE, FIXED_RECORDS, RECORD } from "./layout.ts";
import { refuseUnreachable } from "./code-lookup.ts";
import { engineRoutine, faulted, pair, triple } from "./engine-routine.ts";
import {
  checkAlignment,
  checkedLinear,
  checkCanonicalEnd,
  crossesPage,
  dataAccess,
  halves,
  lastPage,
  slowLoadRoutine,
  slowStoreRoutine,
  type PageAccess,
} from "./translation.ts";

const PAGE_OFFSET = 0xfffn;
const WIDE = ENGINE.wideScratch.offset;

/** One translation that a walk found. The number of the linear page, plus 1; then what the walk returned. */
const KEPT = { tag: 0, translation: 8, shift: 4, count: 64 } as const;

/** Kept translations in a virtual processor's memory, as bytes from its state block. */
export const KEPT_OFFSET = 0x8000;
export const KEPT_BYTES: number = KEPT.count << KEPT.shift;

/** A page's translation, from those kept or by a walk. */
const translatePage = engineRoutine("translatePage", ["i64", "i64"], "i64", (m, ...values) => {
  const [linear, access] = pair(values);
  const number = m.shiftRightUnsigned(linear, m.constant(12));
  const offset = m.shiftLeft(m.and(number, m.constant(KEPT.count - 1)), m.constant(KEPT.shift));
  const kept = m.wasm("i32.add", [m.stateAddress(KEPT_OFFSET), m.toI32(offset)]);
  const tag = m.add(number, m.constant(1), 64);
  m.when(m.equal(m.hostLoad("i64.load", kept, KEPT.tag), tag), () => {
    const known = m.hostLoad("i64.load", kept, KEPT.translation);
    m.when(m.isZero(m.and(known, neededRights(m, access))), () => m.returnValue(known));
  });
  const walked = m.callNamed("walk", "i64", false, [linear, access]);
  m.when(faulted(m), () => m.returnValue(m.constant(0)));
  m.hostStore("i64.store", kept, tag, KEPT.tag);
  m.hostStore("i64.store", kept, walked, KEPT.translation);
  return walked;
});

function translate(m: Recorder, linear: Value, access: Value): Value {
  const page = m.callNamed("translatePage", "i64", false, [linear, access]);
  return m.or(m.and(page, m.constant(~PAGE_OFFSET)), m.and(linear, m.constant(PAGE_OFFSET)));
}

/** `physicalLoad(low, high, bytes)` puts the bytes into the wide scratch; `physicalStore` takes them from there. */
const accessed: PageAccess = {
  check(m, linear, access) {
    m.callNamed("translatePage", "i64", false, [linear, access]);
  },
  load(m, linear, bytes, access) {
    const physical = translate(m, linear, access);
    m.when(faulted(m), () => m.returnValue(m.constant(0)));
    m.hostStore("i64.store", m.stateAddress(WIDE), m.constant(0));
    m.helper("physicalLoad", [...halves(m, physical), bytes]);
    return m.hostLoad("i64.load", m.stateAddress(WIDE));
  },
  store(m, linear, value, bytes, access) {
    const physical = translate(m, linear, access);
    m.when(faulted(m), () => m.returnValue(m.constantI32(0)));
    m.when(m.notEqual(bytes, m.constantI32(16)), () =>
      m.hostStore("i64.store", m.stateAddress(WIDE), value),
    );
    m.helper("physicalStore", [...halves(m, physical), bytes]);
  },
};

const loadPhysical = engineRoutine("loadPhysical", ["i64"], "i64", (m, ...values) => {
  const [physical] = values;
  if (physical === undefined) throw new RangeError("loadPhysical takes an address.");
  m.helper("physicalLoad", [...halves(m, physical), m.constantI32(8)]);
  return m.hostLoad("i64.load", m.stateAddress(WIDE));
});

const storePhysical = engineRoutine("storePhysical", ["i64", "i64"], "i64", (m, ...values) => {
  const [physical, value] = pair(values);
  m.hostStore("i64.store", m.stateAddress(WIDE), value);
  m.helper("physicalStore", [...halves(m, physical), m.constantI32(8)]);
  return m.constant(0);
});

/** There is never a direct way; only the rights are checked. */
const slowProbe = engineRoutine("slowProbe", ["i64", "i32", "i32"], "i32", (m, ...values) => {
  const [given, bytes, kind] = triple(values);
  const access = dataAccess(m, kind, true);
  const linear = checkedLinear(m, { linear: given, bytes, kind }, 1, m.constantI32(0));
  checkAlignment(m, accessed, { linear, bytes, kind, walk: access });
  m.when(faulted(m), () => m.returnValue(m.constantI32(0)));
  const last = lastPage(m, linear, bytes);
  checkCanonicalEnd(m, last, () => m.callNamed("translatePage", "i64", false, [last, access]));
  m.when(faulted(m), () => m.returnValue(m.constantI32(0)));
  m.callNamed("translatePage", "i64", false, [linear, access]);
  m.when(faulted(m), () => m.returnValue(m.constantI32(0)));
  m.when(crossesPage(m, linear, bytes), () => {
    m.callNamed("translatePage", "i64", false, [last, access]);
  });
  return m.constantI32(0);
});

/** After a transfer the one instruction is over; `rip` says where execution goes on. */
const lookup = engineRoutine("lookup", [], "i32", (m) => m.constantI32(FIXED_RECORDS.decode));

const link = engineRoutine("link", ["i32"], "i32", (m, ...values) => {
  const [record] = values;
  if (record === undefined) throw new RangeError("link takes a record.");
  const next = m.hostLoad("i64.load16_u", record, RECORD.nextOffset.offset);
  const offset = m.add(next, m.hostLoad("i64.load", record, RECORD.immediate.offset), 64);
  m.setState(
    slots.rip,
    m.and(m.add(m.state(slots.codePageRip), offset, 64), m.state(slots.ripMask)),
  );
  refuseUnreachable(m, record);
  return m.constantI32(FIXED_RECORDS.decode);
});

/** Records of a virtual processor never straddle: its bytes were gathered before. */
const nextCodePage = engineRoutine("nextCodePage", [], "i64", (m) => m.constant(-1n));

/** Physical address of the instruction byte at the linear address in scratch0; the result goes to scratch1. */
const translateFetch = engineRoutine("translateFetch", [], "i32", (m) => {
  const user = m.select(
    m.equal(m.state(slots.cpl), m.constant(3)),
    m.constant(ACCESS_USER),
    m.constant(0),
  );
  const physical = translate(m, m.state(slots.scratch0), m.or(user, m.constant(ACCESS_EXECUTE)));
  m.setState(slots.scratch1, physical);
  return m.constantI32(0);
});

export const detachedRoutines: readonly Routine[] = [
  translatePage,
  slowLoadRoutine(accessed),
  slowStoreRoutine(accessed),
  slowProbe,
  loadPhysical,
  storePhysical,
  lookup,
  link,
  nextCodePage,
  translateFetch,
];
