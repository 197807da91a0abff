import { conformanceCases, runConformance } from "@ringside/conformance";
import type { Strategy } from "@ringside/strategy";

/** A strategy that refuses every guest: allowed, as long as it says so. */
const refuses: Strategy = {
  id: "refuses",
  name: "Refuses",
  summary: "Runs nothing.",
  traits: { guestKernel: "shared", guestKernelLevel: null, extensions: [], exclusive: false },
  capabilities: { programs: false, kernels: false, selfModifyingCode: false },
  accepts: () => ({ accepted: false, reason: "It runs nothing at all." }),
  create: () => {
    throw new Error("It should have said guest-refused.");
  },
};

for await (const { name, outcome } of runConformance(refuses, conformanceCases)) {
  if (outcome === "failed") console.log(name);
}
// => refuses programs, with a sentence, when it says that it runs none
// => refuses kernels, with a sentence, when it says that it runs none
