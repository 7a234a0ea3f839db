/** A line of a log as a person sees it in a terminal: colours as classes, all else that steers one left out. */
import Anser from "anser";

/** Hyperlinks of compilers and titles (OSC), and what chooses a character set: never shown. */
const UNSHOWN = /\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78cDEHM])/g;
/** What a terminal obeys, and what turns the direction of a line so that it reads as another one. */
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

const visible = (text: string): string =>
  text.replace(UNSEEN, (one) => (one < " " ? String.fromCharCode(0x2400 + one.charCodeAt(0)) : "\ufffd"));

/**
 * The name of the nearest colour that can be read on the page, light or dark; none for black, white and grey.
 * `rgb` is as the library writes it: `187, 0, 0`.
 */
function hue(rgb: string | null): string | null {
  const [red = 0, green = 0, blue = 0] = (rgb ?? "").split(",").map(Number);
  const [most, least] = [Math.max(red, green, blue), Math.min(red, green, blue)];
  if (most - least < 40) return null;
  const bright = (one: number): boolean => one > (most + least) / 2;
  const name = `${Number(bright(red))}${Number(bright(green))}${Number(bright(blue))}`;
  return { "100": "red", "010": "green", "110": "yellow", "001": "blue", "101": "magenta", "011": "cyan" }[name] ?? null;
}

/** The line as nodes of a page; never as HTML, since a client wrote it. */
export function nodes(line: string): Node[] {
  const drawn = line.replace(UNSHOWN, "").replace(/\r+$/, "");
  // Of a line that was drawn again, what was drawn last.
  const text = drawn.slice(drawn.lastIndexOf("\r") + 1);
  if (!text.includes("\x1b")) return [document.createTextNode(visible(text))];
  return Anser.ansiToJson(text, { json: true, remove_empty: true }).map((part) => {
    const classes = part.decorations.map((one) => `ansi-${one}`);
    const [front, back] = [hue(part.fg), hue(part.bg)];
    if (back !== null) classes.push(`ansi-on ansi-${back}`);
    else if (front !== null) classes.push(`ansi-${front}`);
    const content = visible(part.content);
    if (classes.length === 0) return document.createTextNode(content);
    const span = document.createElement("span");
    span.className = classes.join(" ");
    span.textContent = content;
    return span;
  });
}

/** The same without colours. */
export const plain = (line: string): string => nodes(line).map((node) => node.textContent ?? "").join("");
