/**
 * From linear addresses to host memory: TLB lookups and fills, and the slow ways of loads and stores.
 *
 * Written in the expression language, over the engine's own tables. The inline probe that handlers carry is in
 * emitter.ts; everything here is what happens when it misses.
 */
import type { Recorder } from "../micro-operations/recorder.ts";
import {
  ACCESS_EXECUTE,
  ACCESS_IMPLICIT,
  ACCESS_STACK,
  ACCESS_USER,
  ACCESS_WRITE,
  DENY_DIRECT,
  DENY_SUPERVISOR_EXECUTE,
  DENY_SUPERVISOR_READ,
  DENY_SUPERVISOR_WRITE,
  DENY_UNALIGNED,
  DENY_USER_WRITE,
  TAG_DENIAL_SHIFT,
  TAG_PAGE_NUMBER,
  USER_DENIAL_SHIFT,
} from "../paging/tag.ts";
import { isMarked } from "../segmentation/check-segment.ts";
import type { Routine, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { ACCESS_STACK_SEGMENT, ACCESS_SYSTEM } from "./emitter.ts";
import {
  engineRoutine,
  faulted,
  frameEntry,
  hostOfPhysical,
  isRam,
  pair,
  quadruple,
  triple,
} from "./engine-routine.ts";
import {
  ENGINE,
  FRAME_BYTES,
  FRAME_ENTRY,
  RECORD,
  RECORD_BYTES,
  TLB_ENTRY,
  TLB_ENTRY_BYTES,
  TLB_OFFSET,
  TLB_SETS,
  TLB_SET_BYTES,
  TLB_USED_OFFSET,
} from "./layout.ts";

const ALL_DENIED = 0x3f | DENY_DIRECT;
const SS = 2;
const PAGE_OFFSET = 0xfff;
const TAG_EMPTY = 1n << 63n;
/** Sixteen bytes for accesses that cross a page: the parts use the wide scratch themselves. */
const CROSSING_SCRATCH = ENGINE.crossingScratch.offset;

/** Host address of the first entry of the TLB set of a linear page number. */
export function tlbSet(m: Recorder, page: Value): Value {
  const set = m.toI32(m.and(page, m.constant(TLB_SETS - 1)));
  const offset = m.wasm("i32.mul", [set, m.constantI32(TLB_SET_BYTES)]);
  return m.wasm("i32.add", [m.stateAddress(TLB_OFFSET), offset]);
}

/** Notes that the set of a linear page number holds something. */
function markUsed(m: Recorder, page: Value): void {
  const set = m.and(page, m.constant(TLB_SETS - 1));
  const words = { offset: TLB_USED_OFFSET, bytes: 8 } as const;
  const at = m.and(m.shiftRightUnsigned(set, m.constant(3)), m.constant(~7n));
  const bit = m.shiftLeft(m.constant(1), m.and(set, m.constant(63)));
  m.setStateAt(words, at, m.or(m.stateAt(words, at), bit));
}

/** What a walk's kind of access needs not to be denied. */
function neededDenial(m: Recorder, access: Value): Value {
  const write = m.and(access, m.constant(ACCESS_WRITE));
  const execute = m.and(access, m.constant(ACCESS_EXECUTE));
  const kind = m.select(
    execute,
    m.constant(DENY_SUPERVISOR_EXECUTE),
    // A write needs the right to read as well: under SMAP, only reading is denied to the supervisor.
    m.select(
      write,
      m.constant(DENY_SUPERVISOR_WRITE | DENY_SUPERVISOR_READ),
      m.constant(DENY_SUPERVISOR_READ),
    ),
  );
  const user = m.notEqual(m.and(access, m.constant(ACCESS_USER)), m.constant(0));
  return m.shiftLeft(kind, m.select(user, m.constant(USER_DENIAL_SHIFT), m.constant(0)));
}

/** Records code for addresses in a page of which a debugger watches something. */
function whenWatched(m: Recorder, linear: Value, body: () => void): void {
  m.when(m.state(ENGINE.watching), () => {
    m.when(m.helper("watchesPage", halves(m, linear), "i32"), body);
  });
}

/** Tells a debugger that watches data of an access. */
function reportAccess(m: Recorder, linear: Value, bytes: Value, write: boolean): void {
  m.when(m.state(ENGINE.watching), () => {
    const [low, high] = halves(m, linear);
    m.helper("watchAccess", [low, high, bytes, m.constantI32(write ? 1 : 0)]);
  });
}

function copyEntry(m: Recorder, from: Value, to: Value): void {
  for (let offset = 0; offset < TLB_ENTRY_BYTES; offset += 8) {
    m.hostStore("i64.store", to, m.hostLoad("i64.load", from, offset), offset);
  }
}

/**
 * Finds or makes the translation of a linear address that allows `access` (the ACCESS constants of paging/tag.ts).
 * Gives the host address of its TLB entry, which is then the first of its set, or 0 after recording a fault.
 */
export const resolve: Routine = engineRoutine("resolve", ["i64", "i64"], "i32", (m, ...values) => {
  const [linear, access] = pair(values);
  const page = m.shiftRightUnsigned(linear, m.constant(12));
  const first = tlbSet(m, page);
  const second = m.wasm("i32.add", [first, m.constantI32(TLB_ENTRY_BYTES)]);
  const denial = neededDenial(m, access);
  const holds = (entry: Value): Value =>
    // The sign bit, which only an empty entry has, keeps it from holding the page that its other bits name.
    m.equal(
      m.and(
        m.hostLoad("i64.load", entry, TLB_ENTRY.tag.offset),
        m.constant(TAG_PAGE_NUMBER | TAG_EMPTY),
      ),
      page,
    );
  const allows = (entry: Value): Value =>
    m.isZero(m.and(m.hostLoad("i64.load", entry, TLB_ENTRY.translation.offset), denial));

  m.when(m.isFalse(holds(first)), () => {
    m.when(holds(second), () => {
      for (let offset = 0; offset < TLB_ENTRY_BYTES; offset += 8) {
        const one = m.hostLoad("i64.load", first, offset);
        const other = m.hostLoad("i64.load", second, offset);
        m.hostStore("i64.store", first, other, offset);
        m.hostStore("i64.store", second, one, offset);
      }
    });
  });
  m.when(m.both(holds(first), allows(first)), () => m.returnValue(first));

  const translation = m.callNamed("walk", "i64", false, [linear, access]);
  m.when(faulted(m), () => m.returnValue(m.constantI32(0)));
  m.count("tlbFills");
  markUsed(m, page);
  m.when(m.isFalse(holds(first)), () => copyEntry(m, first, second));

  const physical = m.and(translation, m.constant(~BigInt(PAGE_OFFSET)));
  const denied = m.variable(m.and(translation, m.constant(ALL_DENIED)));
  const codePage = m.variable(m.constantI32(0));
  const codeMode = m.variable(m.constantI32(0));
  m.when(
    isRam(m, physical),
    () => {
      const frame = frameEntry(m, physical);
      const lines = m.hostLoad("i64.load", frame, FRAME_ENTRY.codeLines.offset);
      m.when(m.notEqual(lines, m.constant(0)), () =>
        m.set(denied, m.or(m.get(denied), m.constant(DENY_SUPERVISOR_WRITE | DENY_USER_WRITE))),
      );
      m.set(codePage, m.hostLoad("i32.load", frame, FRAME_ENTRY.codePage.offset));
      m.set(codeMode, m.hostLoad("i32.load8_u", frame, FRAME_ENTRY.codeMode.offset));
    },
    () => m.set(denied, m.constant(ALL_DENIED)),
  );
  whenWatched(m, linear, () => m.set(denied, m.constant(ALL_DENIED)));
  m.hostStore(
    "i64.store",
    first,
    m.or(
      page,
      m.shiftLeft(m.or(m.get(denied), m.constant(DENY_UNALIGNED)), m.constant(TAG_DENIAL_SHIFT)),
    ),
    TLB_ENTRY.tag.offset,
  );
  const pageStart = m.toI32(m.and(linear, m.constant(~BigInt(PAGE_OFFSET))));
  m.hostStore(
    "i32.store",
    first,
    m.wasm("i32.sub", [hostOfPhysical(m, physical), pageStart]),
    TLB_ENTRY.addend.offset,
  );
  m.hostStore("i32.store", first, m.get(codePage), TLB_ENTRY.codePage.offset);
  m.hostStore("i32.store8", first, m.get(codeMode), TLB_ENTRY.codeMode.offset);
  m.hostStore("i64.store", first, translation, TLB_ENTRY.translation.offset);
  return first;
});

/** The walk's kind of access for a data access of the kind that handlers tell. */
export function dataAccess(m: Recorder, kind: Value, write: boolean): Value {
  const wide = m.fromI32Unsigned(kind);
  const system = m.and(wide, m.constant(ACCESS_SYSTEM));
  const stack = m.and(wide, m.constant(ACCESS_STACK_SEGMENT));
  const user = m.select(
    m.equal(m.state(slots.cpl), m.constant(3)),
    m.constant(ACCESS_USER),
    m.constant(0),
  );
  const rights = m.select(system, m.constant(ACCESS_IMPLICIT), user);
  const where = m.select(stack, m.constant(ACCESS_STACK), m.constant(0));
  return m.or(m.or(rights, where), m.constant(write ? ACCESS_WRITE : 0));
}

export function crossesPage(m: Recorder, linear: Value, bytes: Value): Value {
  const last = m.add(m.and(linear, m.constant(PAGE_OFFSET)), m.fromI32Unsigned(bytes), 64);
  return m.lessThanUnsigned(m.constant(FRAME_BYTES), last);
}

function physicalOf(m: Recorder, entry: Value, linear: Value): Value {
  const translation = m.hostLoad("i64.load", entry, TLB_ENTRY.translation.offset);
  return m.or(
    m.and(translation, m.constant(~BigInt(PAGE_OFFSET))),
    m.and(linear, m.constant(PAGE_OFFSET)),
  );
}

/** The low and high half of a physical address, for devices. */
export function halves(m: Recorder, physical: Value): [Value, Value] {
  return [m.toI32(physical), m.toI32(m.shiftRightUnsigned(physical, m.constant(32)))];
}

/** A linear address as paging takes it: only once the access was found to be allowed in its segment. */
export function checkedLinear(
  m: Recorder,
  given: { readonly linear: Value; readonly bytes: Value; readonly kind: Value },
  isWrite: 0 | 1,
  abandoned: Value,
): Value {
  const { linear } = given;
  const bytes = m.fromI32Unsigned(given.bytes);
  const checked = m.variable(linear);
  m.when(
    isMarked(m, linear),
    () => {
      m.set(
        checked,
        m.callNamed("checkSegment", "i64", false, [linear, bytes, m.constant(isWrite)]),
      );
    },
    () => checkWithinFourGiB(m, linear, bytes, given.kind),
  );
  m.when(faulted(m), () => m.returnValue(abandoned));
  return m.get(checked);
}

/**
 * Refuses an access that crosses 4 GiB in a flat segment, outside 64-bit mode. The manual leaves it open; recorded
 * processors refuse. Intel SDM Vol. 3A §5.3, "Limit Checking".
 */
function checkWithinFourGiB(m: Recorder, linear: Value, bytes: Value, kind: Value): void {
  const last = m.subtract(m.add(linear, bytes, 64), m.constant(1), 64);
  m.when(crossesFourGiB(m, linear, last), () => {
    m.when(
      m.either(
        m.and(m.fromI32Unsigned(kind), m.constant(ACCESS_STACK_SEGMENT)),
        isAddressedInStackSegment(m),
      ),
      () => m.raise("SS", m.constant(0)),
      () => m.raise("GP", m.constant(0)),
    );
  });
}

/** Whether the current record's operand is in SS, which the record before it says where that computed its address. */
function isAddressedInStackSegment(m: Recorder): Value {
  const record = m.toI32(m.state(ENGINE.currentRecord));
  const address = m.wasm("i32.sub", [record, m.constantI32(RECORD_BYTES)]);
  const segment = (at: Value): Value => m.hostLoad("i64.load16_u", at, RECORD.segment.offset);
  return m.both(
    m.equal(segment(record), m.constant(ENGINE.segmentScratch.offset)),
    m.equal(segment(address), m.constant(segmentSlots(SS).effectiveBase.offset)),
  );
}

/** Whether the last byte of an access outside 64-bit mode lies beyond 4 GiB, and its first one does not. */
function crossesFourGiB(m: Recorder, linear: Value, last: Value): Value {
  const isNarrow = m.notEqual(m.state(slots.linearMask), m.constant(-1n));
  const upper = (part: Value): Value => m.shiftRightUnsigned(part, m.constant(32));
  return m.both(isNarrow, m.both(m.isZero(upper(linear)), m.notEqual(upper(last), m.constant(0))));
}

/** How one kind of memory is reached inside a page, once an access is known not to cross one. */
export interface PageAccess {
  /** Checks an access without making it; a fault is recorded. */
  readonly check: (m: Recorder, linear: Value, access: Value) => void;
  /** Loads 1 to 8 bytes, or 16 into the wide scratch. May leave a fault recorded. */
  readonly load: (m: Recorder, linear: Value, bytes: Value, access: Value) => Value;
  /** Stores 1 to 8 bytes of the value, or 16 from the wide scratch. May leave a fault recorded. */
  readonly store: (m: Recorder, linear: Value, value: Value, bytes: Value, access: Value) => void;
}

/** The address of a later byte of an access, which wraps at 4 GiB outside 64-bit mode. */
function laterByte(m: Recorder, linear: Value, distance: Value): Value {
  const sum = m.add(linear, distance, 64);
  return m.select(crossesFourGiB(m, linear, sum), m.truncate(sum, 32), sum);
}

/** The page of the last byte of a crossing access. */
export function lastPage(m: Recorder, linear: Value, bytes: Value): Value {
  const distance = m.subtract(m.fromI32Unsigned(bytes), m.constant(1), 64);
  return m.and(laterByte(m, linear, distance), m.constant(~BigInt(PAGE_OFFSET)));
}

/**
 * Checks the last page of a crossing access where it is not canonical: that is found before paging is asked for the
 * first one. Intel SDM Vol. 1 §3.3.7.1, "Canonical Addressing".
 */
export function checkCanonicalEnd(m: Recorder, last: Value, check: () => void): void {
  m.when(m.isFalse(m.isCanonical(last)), check);
}

/** Checks both pages of a crossing access, the lower one first, as the processor does. */
function checkBothPages(
  m: Recorder,
  page: PageAccess,
  linear: Value,
  bytes: Value,
  access: Value,
  abandoned: Value,
): void {
  const last = lastPage(m, linear, bytes);
  checkCanonicalEnd(m, last, () => page.check(m, last, access));
  m.when(faulted(m), () => m.returnValue(abandoned));
  page.check(m, linear, access);
  m.when(faulted(m), () => m.returnValue(abandoned));
  page.check(m, last, access);
  m.when(faulted(m), () => m.returnValue(abandoned));
}

/**
 * #AC(0) for an access of up to 8 bytes by a program that is not at a multiple of its size, unless a page fault comes
 * first. Wider ones may or may not be checked. Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 17).
 */
export function checkAlignment(
  m: Recorder,
  page: PageAccess,
  access: {
    readonly linear: Value;
    readonly bytes: Value;
    readonly kind: Value;
    readonly walk: Value;
  },
): void {
  m.when(m.state(slots.alignmentChecked), () => {
    const { linear, bytes, kind } = access;
    const isProgram = m.isZero(m.and(m.fromI32Unsigned(kind), m.constant(ACCESS_SYSTEM)));
    const isNarrow = m.lessThanUnsigned(bytes, m.constantI32(9));
    const rest = m.and(linear, m.subtract(m.fromI32Unsigned(bytes), m.constant(1), 64));
    const isUnaligned = m.both(m.both(isProgram, isNarrow), m.notEqual(rest, m.constant(0)));
    m.when(isUnaligned, () => {
      const last = lastPage(m, linear, bytes);
      const unlessFaulted = (then: () => void): void => m.when(m.isFalse(faulted(m)), then);
      checkCanonicalEnd(m, last, () => page.check(m, last, access.walk));
      unlessFaulted(() => page.check(m, linear, access.walk));
      unlessFaulted(() => page.check(m, last, access.walk));
      unlessFaulted(() => m.raise("AC", m.constant(0)));
    });
  });
}

/** `slowLoad(linear, bytes, kind)`: 1 to 8 bytes, zero-extended; 16 bytes go to the wide scratch. */
export function slowLoadRoutine(page: PageAccess): Routine {
  return engineRoutine("slowLoad", ["i64", "i32", "i32"], "i64", (m, ...values) => {
    const [given, bytes, kind] = triple(values);
    const zero = m.constant(0);
    const linear = checkedLinear(m, { linear: given, bytes, kind }, 0, zero);
    const access = dataAccess(m, kind, false);
    checkAlignment(m, page, { linear, bytes, kind, walk: access });
    m.when(faulted(m), () => m.returnValue(zero));
    m.when(crossesPage(m, linear, bytes), () => {
      checkBothPages(m, page, linear, bytes, access, zero);
      const result = m.variable(zero);
      const left = m.variable(m.fromI32Unsigned(bytes));
      m.loop(() => {
        m.set(left, m.subtract(m.get(left), m.constant(1)));
        const value = m.callNamed("slowLoad", "i64", false, [
          laterByte(m, linear, m.get(left)),
          m.constantI32(1),
          kind,
        ]);
        m.set(result, m.or(m.shiftLeft(m.get(result), m.constant(8)), value));
        m.hostStore(
          "i32.store8",
          m.wasm("i32.add", [m.stateAddress(CROSSING_SCRATCH), m.toI32(m.get(left))]),
          m.toI32(value),
        );
        return m.notEqual(m.get(left), zero);
      });
      for (const offset of [0, 8]) {
        m.hostStore(
          "i64.store",
          m.stateAddress(ENGINE.wideScratch.offset + offset),
          m.hostLoad("i64.load", m.stateAddress(CROSSING_SCRATCH + offset)),
        );
      }
      m.returnValue(m.get(result));
    });
    return page.load(m, linear, bytes, access);
  });
}

/** `slowStore(linear, value, bytes, kind)`: 1 to 8 bytes of the value, or 16 from the wide scratch. */
export function slowStoreRoutine(page: PageAccess): Routine {
  return engineRoutine("slowStore", ["i64", "i64", "i32", "i32"], "i32", (m, ...values) => {
    const [given, value, bytes, kind] = quadruple(values);
    const done = m.constantI32(0);
    const linear = checkedLinear(m, { linear: given, bytes, kind }, 1, done);
    const access = dataAccess(m, kind, true);
    checkAlignment(m, page, { linear, bytes, kind, walk: access });
    m.when(faulted(m), () => m.returnValue(done));
    m.when(crossesPage(m, linear, bytes), () => {
      checkBothPages(m, page, linear, bytes, access, done);
      for (const offset of [0, 8]) {
        m.hostStore(
          "i64.store",
          m.stateAddress(CROSSING_SCRATCH + offset),
          m.hostLoad("i64.load", m.stateAddress(ENGINE.wideScratch.offset + offset)),
        );
      }
      const wide = m.equal(bytes, m.constantI32(16));
      const index = m.variable(m.constant(0));
      m.loop(() => {
        const scratch = m.hostLoad(
          "i64.load8_u",
          m.wasm("i32.add", [m.stateAddress(CROSSING_SCRATCH), m.toI32(m.get(index))]),
        );
        const shifted = m.shiftRightUnsigned(value, m.shiftLeft(m.get(index), m.constant(3)));
        const byte = m.and(m.select(wide, scratch, shifted), m.constant(0xff));
        m.callNamed("slowStore", "i32", false, [
          laterByte(m, linear, m.get(index)),
          byte,
          m.constantI32(1),
          kind,
        ]);
        m.set(index, m.add(m.get(index), m.constant(1)));
        return m.lessThanUnsigned(m.get(index), m.fromI32Unsigned(bytes));
      });
      m.returnValue(done);
    });
    page.store(m, linear, value, bytes, access);
    return done;
  });
}

/** Stores a value of 8 bytes where the wide parts of a device access are taken from. */
function spillWide(m: Recorder, value: Value, bytes: Value): void {
  m.when(m.equal(bytes, m.constantI32(8)), () => {
    m.hostStore("i64.store", m.stateAddress(ENGINE.wideScratch.offset), value);
  });
}

/** Memory behind the TLB: RAM of the host, or devices. */
const translated: PageAccess = {
  check(m, linear, access) {
    m.callNamed("resolve", "i32", false, [linear, access]);
  },
  load(m, linear, bytes, access) {
    const zero = m.constant(0);
    const entry = m.callNamed("resolve", "i32", false, [linear, access]);
    m.when(faulted(m), () => m.returnValue(zero));
    reportAccess(m, linear, bytes, false);
    const physical = physicalOf(m, entry, linear);
    m.when(isRam(m, physical), () => {
      const host = hostOfPhysical(m, physical);
      for (const [size, operation] of [
        [1, "i64.load8_u"],
        [2, "i64.load16_u"],
        [4, "i64.load32_u"],
        [8, "i64.load"],
      ] as const) {
        m.when(m.equal(bytes, m.constantI32(size)), () =>
          m.returnValue(m.hostLoad(operation, host)),
        );
      }
      for (const offset of [0, 8]) {
        m.hostStore(
          "i64.store",
          m.stateAddress(ENGINE.wideScratch.offset + offset),
          m.hostLoad("i64.load", host, offset),
        );
      }
      m.returnValue(zero);
    });
    const [low, high] = halves(m, physical);
    m.when(m.lessThanUnsigned(bytes, m.constantI32(5)), () => {
      m.returnValue(m.fromI32Unsigned(m.helper("mmioRead", [low, high, bytes], "i32")));
    });
    // Wider accesses reach a device as one of four bytes after another.
    for (let offset = 0; offset < 16; offset += 4) {
      m.when(m.lessThanUnsigned(m.constantI32(offset), bytes), () => {
        const part = m.helper(
          "mmioRead",
          [m.wasm("i32.add", [low, m.constantI32(offset)]), high, m.constantI32(4)],
          "i32",
        );
        m.hostStore("i32.store", m.stateAddress(ENGINE.wideScratch.offset + offset), part);
      });
    }
    return m.hostLoad("i64.load", m.stateAddress(ENGINE.wideScratch.offset));
  },
  store(m, linear, value, bytes, access) {
    const done = m.constantI32(0);
    const entry = m.callNamed("resolve", "i32", false, [linear, access]);
    m.when(faulted(m), () => m.returnValue(done));
    reportAccess(m, linear, bytes, true);
    const physical = physicalOf(m, entry, linear);
    m.when(isRam(m, physical), () => {
      const host = hostOfPhysical(m, physical);
      for (const [size, operation] of [
        [1, "i64.store8"],
        [2, "i64.store16"],
        [4, "i64.store32"],
        [8, "i64.store"],
      ] as const) {
        m.when(m.equal(bytes, m.constantI32(size)), () => m.hostStore(operation, host, value));
      }
      m.when(m.equal(bytes, m.constantI32(16)), () => {
        for (const offset of [0, 8]) {
          m.hostStore(
            "i64.store",
            host,
            m.hostLoad("i64.load", m.stateAddress(ENGINE.wideScratch.offset + offset)),
            offset,
          );
        }
      });
      noticeCodeWrite(m, physical, bytes);
      m.returnValue(done);
    });
    const [low, high] = halves(m, physical);
    m.when(m.lessThanUnsigned(bytes, m.constantI32(5)), () => {
      m.helper("mmioWrite", [low, high, bytes, m.toI32(value)]);
      m.returnValue(done);
    });
    spillWide(m, value, bytes);
    for (let offset = 0; offset < 16; offset += 4) {
      m.when(m.lessThanUnsigned(m.constantI32(offset), bytes), () => {
        const part = m.hostLoad("i32.load", m.stateAddress(ENGINE.wideScratch.offset + offset));
        m.helper("mmioWrite", [
          m.wasm("i32.add", [low, m.constantI32(offset)]),
          high,
          m.constantI32(4),
          part,
        ]);
      });
    }
  },
};

export const slowLoad: Routine = slowLoadRoutine(translated);
export const slowStore: Routine = slowStoreRoutine(translated);

/** Bits of the 64-byte lines that an access inside one page touches. */
function linesOf(m: Recorder, physical: Value, bytes: Value): Value {
  const line = (at: Value): Value =>
    m.shiftRightUnsigned(m.and(at, m.constant(PAGE_OFFSET)), m.constant(6));
  const last = m.subtract(m.add(physical, m.fromI32Unsigned(bytes), 64), m.constant(1), 64);
  const one = m.constant(1);
  return m.or(m.shiftLeft(one, line(physical)), m.shiftLeft(one, line(last)));
}

/** Tells the code cache when bytes were written from which code was decoded. */
function noticeCodeWrite(m: Recorder, physical: Value, bytes: Value): void {
  const lines = m.hostLoad("i64.load", frameEntry(m, physical), FRAME_ENTRY.codeLines.offset);
  m.when(m.notEqual(m.and(lines, linesOf(m, physical, bytes)), m.constant(0)), () => {
    m.helper("codeWritten", [m.toI32(physical), bytes]);
  });
}

/** Host address when `bytes` at `linear` can be written directly; 0 when not, or with a fault recorded. */
export const slowProbe: Routine = engineRoutine(
  "slowProbe",
  ["i64", "i32", "i32"],
  "i32",
  (m, ...values) => {
    const [given, bytes, kind] = triple(values);
    const access = dataAccess(m, kind, true);
    const no = m.constantI32(0);
    const linear = checkedLinear(m, { linear: given, bytes, kind }, 1, no);
    checkAlignment(m, translated, { linear, bytes, kind, walk: access });
    m.when(faulted(m), () => m.returnValue(no));
    const last = lastPage(m, linear, bytes);
    checkCanonicalEnd(m, last, () => m.callNamed("resolve", "i32", false, [last, access]));
    m.when(faulted(m), () => m.returnValue(no));
    const entry = m.callNamed("resolve", "i32", false, [linear, access]);
    m.when(faulted(m), () => m.returnValue(no));
    m.when(crossesPage(m, linear, bytes), () => {
      m.callNamed("resolve", "i32", false, [last, access]);
      m.returnValue(no);
    });
    const physical = physicalOf(m, entry, linear);
    m.when(m.isFalse(isRam(m, physical)), () => m.returnValue(no));
    whenWatched(m, linear, () => m.returnValue(no));
    const lines = m.hostLoad("i64.load", frameEntry(m, physical), FRAME_ENTRY.codeLines.offset);
    return m.select(m.isZero(lines), hostOfPhysical(m, physical), no);
  },
);

/** Eight aligned bytes of physical memory; all ones where there is none. */
export const loadPhysical: Routine = engineRoutine(
  "loadPhysical",
  ["i64"],
  "i64",
  (m, ...values) => {
    const [physical] = values;
    if (physical === undefined) throw new RangeError("loadPhysical takes an address.");
    m.when(isRam(m, physical), () =>
      m.returnValue(m.hostLoad("i64.load", hostOfPhysical(m, physical))),
    );
    return m.constant(-1n);
  },
);

export const storePhysical: Routine = engineRoutine(
  "storePhysical",
  ["i64", "i64"],
  "i64",
  (m, ...values) => {
    const [physical, value] = pair(values);
    m.when(isRam(m, physical), () => {
      m.hostStore("i64.store", hostOfPhysical(m, physical), value);
      noticeCodeWrite(m, physical, m.constantI32(8));
    });
    return m.constant(0);
  },
);
