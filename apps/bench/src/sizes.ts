/** Numbers as people write them on a command line. */
import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** A size in bytes: `64M`, `65536`, `1G`, `512KiB`. @throws {InvalidArgumentError} Anything else. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/iu.exec(text.trim());
  const [, digits = "", unit = ""] = match ?? [];
  const bytes = Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (match === null || !Number.isInteger(bytes) || bytes <= 0)
    throw new InvalidArgumentError("Give a size such as 64M, 1G or 65536.");
  return bytes;
}

/** A number of units: `1000000`, `5e9`, `100M` (millions), `2G` (thousand millions). */
export function parseUnits(text: string): number {
  const match = /^(\d+(?:\.\d+)?(?:e\d+)?)([kmg]?)$/iu.exec(text.trim());
  const [, digits = "", unit = ""] = match ?? [];
  const scale: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };
  const units = Number(digits) * (scale[unit.toLowerCase()] ?? Number.NaN);
  if (match === null || !Number.isSafeInteger(units) || units < 1)
    throw new InvalidArgumentError("Give a number of units such as 1000000, 5e9 or 100M.");
  return units;
}
