/**
 * Text as a terminal shows it, with the few escape sequences that colour it (ECMA-48 "SGR").
 *
 * Other sequences, such as those of progress lines, have no place in a picture and are refused.
 */
export interface Style {
  readonly bold: boolean;
  readonly dim: boolean;
  /** Of the eight colours: 1 red to 7 white; 0 black is not used on a dark ground. */
  readonly colour: number | undefined;
}

/** A piece of a line in one style, of characters that fill one column and one UTF-16 unit each. */
export interface Span {
  /** Counted from 0. */
  readonly column: number;
  readonly text: string;
  readonly style: Style;
}

const plain: Style = { bold: false, dim: false, colour: undefined };

/** @throws {SyntaxError} for an escape sequence that is not SGR. */
export function terminalLines(text: string): Span[][] {
  let style = plain;
  return text
    .trimEnd()
    .split("\n")
    .map((line) => {
      const spans: Span[] = [];
      let column = 0;
      // oxlint-disable-next-line no-control-regex -- escape sequences begin with a control character
      for (const piece of line.split(/(\u001b\[[\d;]*[A-Za-z])/u)) {
        if (piece.startsWith("\u001b")) {
          style = restyled(style, piece);
        } else if (piece !== "") {
          spans.push({ column, text: piece, style });
          column += piece.length;
        }
      }
      return spans;
    });
}

function restyled(style: Style, sequence: string): Style {
  if (!sequence.endsWith("m")) {
    throw new SyntaxError(`The sequence ESC${sequence.slice(1)} does more than colour text.`);
  }
  let result = style;
  for (const code of sequence.slice(2, -1).split(";").map(Number)) {
    if (code === 0) result = plain;
    else if (code === 1) result = { ...result, bold: true };
    else if (code === 2) result = { ...result, dim: true };
    else if (code === 22) result = { ...result, bold: false, dim: false };
    else if (code === 39) result = { ...result, colour: undefined };
    else if (code > 30 && code < 38) result = { ...result, colour: code - 30 };
    else if (code > 90 && code < 98) result = { ...result, colour: code - 90 };
    else throw new SyntaxError(`The picture has no style for SGR ${code}.`);
  }
  return result;
}
