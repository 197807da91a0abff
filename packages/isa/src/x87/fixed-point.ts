/**
 * Elementary functions of fixed-point numbers: bigints that count units of 2^-256.
 *
 * So much precision is left after any cancellation that the x87's 64 bits are as good as correctly rounded.
 */
import { integerSquareRoot } from "../floating-point/arithmetic.ts";

/** Bits behind the binary point. */
export const FRACTION_BITS = 256;
const W = BigInt(FRACTION_BITS);
export const ONE: bigint = 1n << W;

function times(a: bigint, b: bigint): bigint {
  return (a * b) >> W;
}

/** Sum of `first`, and of each further term that `next` makes of the one before, while there is one. */
function series(first: bigint, next: (term: bigint, index: number) => bigint): bigint {
  let sum = 0n;
  let term = first;
  for (let index = 1; term !== 0n; index++) {
    sum += term;
    term = next(term, index);
    // A negative term that rounds down would never end.
    if (term === -1n) break;
  }
  return sum;
}

/** Sum of power / (2 index + 1) over odd powers of `z`; alternating, that is the arctangent, else its hyperbolic twin. */
function oddPowers(z: bigint, alternating: boolean): bigint {
  const square = times(z, z);
  let power = z;
  let sum = 0n;
  for (let divisor = 1n; power !== 0n && power !== -1n; divisor += 2n) {
    const term = power / divisor;
    sum += alternating && (divisor & 2n) !== 0n ? -term : term;
    power = times(power, square);
  }
  return sum;
}

/** Natural logarithm of a number between 1/2 and 2. */
export function logarithm(value: bigint): bigint {
  const z = ((value - ONE) << W) / (value + ONE);
  return 2n * oddPowers(z, false);
}

/** e to the power of a number between -1 and 1, less 1. */
export function exponentialLessOne(value: bigint): bigint {
  const halvings = 8;
  const small = value >> BigInt(halvings);
  let result = series(small, (term, index) => times(term, small) / BigInt(index + 1));
  for (let doubling = 0; doubling < halvings; doubling++) {
    result = 2n * result + times(result, result);
  }
  return result;
}

/** Arctangent of a number between 0 and 1. */
export function arctangent(value: bigint): bigint {
  const halvings = 3;
  let half = value;
  for (let halving = 0; halving < halvings; halving++) {
    const root = integerSquareRoot((ONE + times(half, half)) << W);
    half = (half << W) / (ONE + root);
  }
  return oddPowers(half, true) << BigInt(halvings);
}

/** Sine and cosine of an angle between -1 and 1. */
export function sineAndCosine(angle: bigint): { readonly sine: bigint; readonly cosine: bigint } {
  const square = times(angle, angle);
  const sum = (first: bigint, start: bigint): bigint => {
    let term = first;
    let total = 0n;
    for (let divisor = start; term !== 0n && term !== -1n; divisor += 2n) {
      total += term;
      term = -times(term, square) / (divisor * (divisor + 1n));
    }
    return total;
  };
  return { sine: sum(angle, 2n), cosine: sum(ONE, 1n) };
}

/** Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239). */
export const PI: bigint = 16n * oddPowers(ONE / 5n, true) - 4n * oddPowers(ONE / 239n, true);
export const LN_2: bigint = logarithm(2n * ONE);
