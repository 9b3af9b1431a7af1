// Small helpers: numbers as text, elements with text that is never read as HTML, bytes out of base64.

/** A number for the eye; "NaN" and "Infinity" come as strings, null where there is none. */
function num(x, digits = 3) {
  if (x === null || x === undefined) return "–";
  const n = Number(x);
  if (Number.isNaN(n)) return "NaN";
  if (!Number.isFinite(n)) return n > 0 ? "∞" : "−∞";
  if (n === 0) return "0";
  const size = Math.abs(n);
  const text = size >= 1e5 || size < 1e-3 ? String(Number(n.toPrecision(digits)).toExponential()) : String(Number(n.toPrecision(digits)));
  return text.replace("-", "−").replace("e+", "e").replace("e-", "e−");
}

function percent(x) {
  const n = 100 * Number(x || 0);
  return n === 0 ? "0 %" : n < 0.1 ? "< 0.1 %" : n > 99.9 && n < 100 ? "> 99.9 %" : `${Number(n.toPrecision(3))} %`;
}

function finite(x) {
  return x !== null && x !== undefined && Number.isFinite(Number(x));
}

function shape(sizes) {
  return sizes.length ? sizes.join("×") : "one number";
}

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

/** An HTML element; children are elements or text. */
function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}
