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
  formatRecordedFile,
  formatVector,
  recordingPlan,
  type PlannedEncoding,
  type RecordedEncoding,
  type VectorArea,
} from "@ringside/isa/testing";
import { buildHarness, HarnessProcess, identifyProcessor } from "./harness-process.ts";
import { observe } from "./observe.ts";

async function record(
  encoding: PlannedEncoding,
  harness: HarnessProcess,
): Promise<RecordedEncoding> {
  const lines: string[] = [];
  for (const input of encoding.inputs()) {
    const result = await observe(encoding, input, harness);
    lines.push(formatVector({ input, result }));
  }
  return { key: encoding.key, lines };
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
  const encodings: RecordedEncoding[] = [];
  for (const encoding of plan) {
    if (encoding.area !== area || encoding.unrecorded !== undefined) continue;
    encodings.push(await record(encoding, harness));
  }
  const text = Buffer.from(
    formatRecordedFile({ processor: identifyProcessor(program), encodings }),
  );
  const packed = brotliCompressSync(text, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
    },
  });
  writeFileSync(`${folder}${area}.txt.br`, packed);
  const vectors = encodings.reduce((sum, { lines }) => sum + lines.length, 0);
  console.log(
    `${area}: ${encodings.length} rows, ${vectors} vectors, ${text.length} bytes, ${packed.length} compressed`,
  );
}
