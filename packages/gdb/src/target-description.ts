/**
 * What a stub says its registers are: names and sizes out of a target description.
 *
 * Debugging with GDB, appendix G "Target Descriptions", section "Target Description Format". Only what a client needs is
 * read: registers in order, and documents that are included.
 */
import { GdbError } from "./gdb-error.ts";

export interface DescribedRegister {
  readonly name: string;
  readonly bits: number;
}

const includesMaximum = 32;

/**
 * The registers of a description, by their numbers; a number that is left out is undefined.
 *
 * @param read Gives a document that another one includes.
 * @throws {GdbError} The description is none, or includes itself.
 */
export async function describedRegisters(
  document: string,
  read: (name: string) => Promise<string>,
): Promise<readonly (DescribedRegister | undefined)[]> {
  const registers: (DescribedRegister | undefined)[] = [];
  let included = 0;
  const visit = async (text: string): Promise<void> => {
    const withoutComments = text.replaceAll(/<!--[\s\S]*?-->/gu, "");
    for (const [, element = "", attributes = ""] of withoutComments.matchAll(
      /<(xi:include|reg)\b([^>]*?)\/?>/gu,
    )) {
      if (element === "reg") {
        const name = attribute(attributes, "name");
        const bits = Number(attribute(attributes, "bitsize"));
        if (name === undefined || !Number.isInteger(bits) || bits < 1 || bits > 4096)
          throw new GdbError(`A register is described as "${attributes.trim()}".`);
        const number = Number(attribute(attributes, "regnum") ?? registers.length);
        if (!Number.isInteger(number) || number < 0 || number > 4095)
          throw new GdbError(`The register ${name} has the number ${number}.`);
        registers[number] = { name, bits };
        continue;
      }
      included += 1;
      const href = attribute(attributes, "href");
      if (href === undefined || included > includesMaximum)
        throw new GdbError("A target description includes itself, or a document without a name.");
      await visit(await read(href));
    }
  };
  await visit(document);
  if (registers.length === 0) throw new GdbError("The target description has no registers.");
  return registers;
}

function attribute(attributes: string, name: string): string | undefined {
  return new RegExp(`\\b${name}\\s*=\\s*["']([^"']*)["']`, "u").exec(attributes)?.[1];
}
