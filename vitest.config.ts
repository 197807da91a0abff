/**
 * Tests by kind, globbed: a new package needs no line here.
 *
 * Packages are resolved from source by the condition that their manifests export, so nothing has to be built.
 */
import { defineConfig } from "vitest/config";

const conditions = ["@ringside/source"];
const anyTest = "{packages,apps,tooling}/*/src/**/*.test.ts";
const guestTest = "{packages,apps}/*/src/**/*.guest.test.ts";
const conformanceTest = "packages/*/src/**/conformance.test.ts";
const ignored = ["**/node_modules/**", "**/dist/**"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // The second is for tallies, see tooling/check.
    reporters: ["default", ["json", { outputFile: ".cache/vitest.json" }]],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [anyTest],
          exclude: [...ignored, guestTest, conformanceTest],
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "conformance",
          include: [conformanceTest],
          exclude: ignored,
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: { name: "guest", include: [guestTest], exclude: ignored, testTimeout: 300_000 },
      },
    ],
  },
});
