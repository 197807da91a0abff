import { countsBetween, countTree, pentium4, price, type Counts } from "@ringside/strategy";

const nothing = { rings: {}, mnemonics: {}, exceptions: {}, interrupts: {}, translation: {} };
const counted = (flat: Record<string, number>, instructions: number): Counts => ({
  ...nothing,
  ...countTree(flat),
  units: instructions,
  instructions,
});
const before = counted({ "mnemonics.in": 1 }, 1_000);
const after = counted({ "mnemonics.in": 3 }, 1_500);

// 498 simple instructions and two reads of a port, on a Pentium 4.
console.log(price(countsBetween(before, after), pentium4).modelledCycles); // => 6916
