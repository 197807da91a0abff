/** A terminal window as SVG. Every piece of text is pinned to its columns, whatever font the reader has. */
import type { Span } from "./terminal-text.ts";

const columnWidth = 7.8;
const lineHeight = 18;
const fontSize = 13;
const margin = 18;
const ground = "#14181f";
const text = "#d7dce5";
const colours = ["", "#f47067", "#8ddb8c", "#e5c07b", "#6cb6ff", "#c792ea", "#63d3d3", "#f5f7fa"];

/** @param command Shown as the first line, after a prompt. */
export function terminalSvg(command: string, lines: readonly (readonly Span[])[]): string {
  const prompt: Span[] = [
    { column: 0, text: "$", style: { bold: false, dim: true, colour: undefined } },
    { column: 2, text: command, style: { bold: true, dim: false, colour: undefined } },
  ];
  const all = [prompt, [], ...lines];
  const columns = Math.max(
    ...all.flatMap((line) => line.map(({ column, text: words }) => column + words.length)),
  );
  const width = Math.ceil(columns * columnWidth) + 2 * margin;
  const height = all.length * lineHeight + 2 * margin;
  const body = all.flatMap((line, row) => line.map((span) => spanSvg(span, row))).join("");
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"` +
    ` font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="${fontSize}" fill="${text}">\n` +
    `<title>${escape(command)}</title>\n` +
    `<rect width="${width}" height="${height}" rx="8" fill="${ground}"/>\n${body}</svg>\n`
  );
}

function spanSvg({ column, text: words, style }: Span, row: number): string {
  const visible = words.trimEnd();
  if (visible.trim() === "") return "";
  const indent = visible.length - visible.trimStart().length;
  const shown = visible.trimStart();
  const x = (margin + (column + indent) * columnWidth).toFixed(1);
  const y = margin + row * lineHeight + fontSize;
  const length = (shown.length * columnWidth).toFixed(1);
  const attributes =
    (style.bold ? ' font-weight="bold"' : "") +
    (style.dim ? ' opacity="0.6"' : "") +
    (style.colour === undefined ? "" : ` fill="${colours[style.colour]}"`);
  return `<text x="${x}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs" xml:space="preserve"${attributes}>${escape(shown)}</text>\n`;
}

function escape(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
