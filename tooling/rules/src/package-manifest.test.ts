import { describe, expect, test } from "vitest";
import { packageManifest } from "./package-manifest.ts";

const sound = {
  name: "@ringside/strategy-test",
  license: "MIT",
  type: "module",
  engines: { node: ">=22.12" },
  peerDependencies: { "@ringside/strategy": "workspace:^" },
  devDependencies: { "@ringside/conformance": "workspace:^", vitest: "catalog:" },
};
const messages = (changes: object): string[] =>
  packageManifest({
    path: "package.json",
    text: JSON.stringify({ ...sound, ...changes }),
  }).map(({ message }) => message);

describe("package manifest", () => {
  test("accepts a strategy that tests itself with the conformance suite", () => {
    expect(messages({})).toEqual([]);
  });

  test("complains about the conformance suite outside devDependencies", () => {
    expect(messages({ dependencies: { "@ringside/conformance": "workspace:^" } })).toEqual([
      '@ringside/conformance is in "dependencies". It belongs in "devDependencies".',
    ]);
  });

  test("complains about a strategy that brings its own contract", () => {
    expect(messages({ peerDependencies: {} })).toEqual([
      '@ringside/strategy is not in "peerDependencies".',
    ]);
  });

  test("complains about versions that are not in the catalog or the workspace", () => {
    expect(messages({ dependencies: { commander: "^15.0.0", "@ringside/isa": "^0.0.0" } })).toEqual(
      [
        "commander does not take its version from the catalog.",
        '@ringside/isa is one of ours and does not say "workspace:".',
      ],
    );
  });
});
