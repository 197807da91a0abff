/**
 * What a package's manifest must say, beyond what `turbo boundaries` can tell.
 *
 * Strategies use the conformance suite in their tests alone, and share the one copy of the contract that the
 * application has, so it is their peer.
 */
import type { Complaint, SourceFile } from "./source-file.ts";

type Dependencies = Readonly<Record<string, string>> | undefined;

interface Manifest {
  readonly name: string;
  readonly license?: string;
  readonly type?: string;
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Dependencies;
  readonly peerDependencies?: Dependencies;
  readonly devDependencies?: Dependencies;
}

export function packageManifest(file: SourceFile): Complaint[] {
  const manifest: Manifest = JSON.parse(file.text);
  const messages: string[] = [];
  if (manifest.type !== "module") messages.push('"type" is not "module".');
  if (manifest.license !== "MIT") messages.push('"license" is not "MIT".');
  if (manifest.engines?.node !== ">=22.12") messages.push('"engines.node" is not ">=22.12".');

  if (manifest.name.startsWith("@ringside/strategy-")) {
    for (const field of ["dependencies", "peerDependencies"] as const) {
      if (manifest[field]?.["@ringside/conformance"] !== undefined) {
        messages.push(`@ringside/conformance is in "${field}". It belongs in "devDependencies".`);
      }
    }
    if (manifest.peerDependencies?.["@ringside/strategy"] === undefined) {
      messages.push('@ringside/strategy is not in "peerDependencies".');
    }
  }
  for (const field of ["dependencies", "peerDependencies", "devDependencies"] as const) {
    for (const [name, range] of Object.entries(manifest[field] ?? {})) {
      const ours = name.startsWith("@ringside/");
      if (ours && !range.startsWith("workspace:")) {
        messages.push(`${name} is one of ours and does not say "workspace:".`);
      }
      if (!ours && field !== "peerDependencies" && !range.startsWith("catalog:")) {
        messages.push(`${name} does not take its version from the catalog.`);
      }
    }
  }
  return messages.map((message) => ({ path: file.path, line: 1, message }));
}
