/**
 * Records vectors of the whole table on the processor underneath, and writes them to packages/isa/vectors.
 *
 * Linux on x86-64 with gcc. `pnpm --filter @ringside/tooling-vectors record` writes all files; with an area (`integer`,
 * `sse`, `x87`) that one.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import {
  formatVector,
  recordingPlan,
  type PlannedEncoding,
  type VectorArea,
} from "@ringside/isa/testing";
import { buildHarness, HarnessProcess, identifyProcessor } from "./harness-process.ts";
import { observe } from "./observe.ts";

async function record(encoding: PlannedEncoding, harness: HarnessProcess): Promise<string[]> {
  const lines = [`= ${encoding.key}`];
  for (const input of encoding.inputs()) {
    const result = await observe(encoding, input, harness);
    lines.push(formatVector({ input, result }));
  }
  return lines;
}

const program = buildHarness();
const [wanted] = process.argv.slice(2);
const plan = recordingPlan();
const areas = (["integer", "sse", "x87"] as const).filter(
  (area) => wanted === undefined || wanted === area,
);
const folder = fileURLToPath(new URL("../../../packages/isa/vectors/", import.meta.url));
mkdirSync(folder, { recursive: true });
using harness = new HarnessProcess(program);
for (const area of areas) await recordArea(area);

async function recordArea(area: VectorArea): Promise<void> {
  const lines = identifyProcessor(program).map((line) => `# ${line}`);
  let rows = 0;
  for (const encoding of plan) {
    if (encoding.area !== area || encoding.unrecorded !== undefined) continue;
    lines.push(...(await record(encoding, harness)));
    rows += 1;
  }
  const text = Buffer.from(`${lines.join("\n")}\n`);
  const packed = brotliCompressSync(text, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
    },
  });
  writeFileSync(`${folder}${area}.txt.br`, packed);
  const vectors = lines.filter((line) => /^\d/u.test(line)).length;
  console.log(
    `${area}: ${rows} rows, ${vectors} vectors, ${text.length} bytes, ${packed.length} compressed`,
  );
}
