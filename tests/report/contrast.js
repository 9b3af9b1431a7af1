// How many pieces of text are shown, and those whose contrast with what lies behind them is below 4.5 (WCAG 2, level AA).
const parse = (colour) => { const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number); return [r, g, b, a]; };
const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const box = (e) => (e.classList.contains("flag") ? null : e.closest("g.node")?.querySelector("rect.box"));
const HIDDEN = "script, noscript, title, option, .unseen, .skip, button:disabled";

function behind(e) {
  for (; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour[3] > 0) return colour;
  }
  return [255, 255, 255, 1];
}

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), bad = [];
let seen = 0;
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement, words = walker.currentNode.data.trim();
  if (!words || !e.checkVisibility() || e.closest(HIDDEN)) continue;
  const style = getComputedStyle(e), inside = box(e);
  const text = parse(e instanceof SVGElement ? style.fill : style.color);
  const back = inside ? parse(getComputedStyle(inside).fill) : behind(e);
  const [more, less] = [light(text), light(back)].sort((x, y) => y - x), ratio = (more + 0.05) / (less + 0.05);
  seen += 1;
  if (ratio < 4.5) bad.push([words.slice(0, 30), ratio]);
}
return [seen, bad];
