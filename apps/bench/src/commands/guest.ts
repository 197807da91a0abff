/** `ringside guest`: kernels that nobody here wrote, for `ringside boot`. */
import { Option, type Command } from "commander";

/** Debian's two kernels for this architecture, by the end of their package's name. */
export const kernelFlavours = ["cloud-amd64", "amd64"] as const;
export type KernelFlavour = (typeof kernelFlavours)[number];

export interface FetchOptions {
  readonly kernel: readonly KernelFlavour[];
}

export function addGuest(program: Command): void {
  const guest = program
    .command("guest")
    .description("Gets kernels to boot.")
    .addHelpText("after", "\nExample:\n  $ ringside guest fetch guests");
  guest
    .command("fetch")
    .description(
      "Downloads Debian's kernels and busybox through apt, and makes an initramfs for each kernel.",
    )
    .addOption(
      new Option("--kernel <flavours...>", "which kernels")
        .choices(kernelFlavours)
        .default(kernelFlavours, "both"),
    )
    .argument("<folder>", "where they go; made when it is missing")
    .addHelpText(
      "after",
      `
Writes vmlinuz-FLAVOUR and initrd-FLAVOUR for each kernel, and busybox. Nothing is installed and no root is needed.
Files that are there already stay; delete those that are to be fetched or made anew.

Example:
  $ ringside guest fetch guests
  $ ringside boot --kernel guests/vmlinuz-cloud-amd64 --initrd guests/initrd-cloud-amd64`,
    )
    .action(async (folder: string, options: FetchOptions) => {
      const { fetchGuests } = await import("../actions/guest.ts");
      await fetchGuests(folder, options);
    });
}
