// The drawing of the net: boxes and edges once, their colours for each iteration; and the table that says the same.

const STEPS = 7;
const MOST_TABS = 20; // circles that Tab goes through; of a net that is mostly frozen the panel and the table say why
const FLAG = 30; // room beside the drawing for words that stand out of a box

class Drawing {
  /** `pick(layer)` is called when a box is chosen. */
  constructor(data, pick) {
    this.data = data;
    this.pick = pick;
    this.zoom = 1;
    this.levels = gradientLevels(data);
    this.tabs = data.layers.flatMap((l) => l.bottoms).filter((b) => !b.flows).length <= MOST_TABS;
    this.edges = data.graph.edges.map((edge) => this.makeEdge(edge));
    this.nodes = data.layers.map((layer, i) => this.makeNode(layer, i));
    const { width, height } = data.graph;
    this.size = [width + 2 * FLAG, height];
    this.svg = svg("svg", { viewBox: `${-FLAG} 0 ${width + 2 * FLAG} ${height}`, role: "group",
      "aria-label": `The net's ${data.layers.length} layers. Arrow keys go along the edges, up to the input and down to the loss.`,
      onkeydown: (event) => this.key(event) },
    this.edges.map((e) => [e.hit, e.line, e.mark]), this.nodes.map((n) => n.group));
    this.nodes[0]?.group.setAttribute("tabindex", "0");
  }

  makeEdge(edge) {
    const bottom = this.data.layers[edge.layer].bottoms[edge.bottom];
    const names = `${this.data.layers[edge.from].name} → ${this.data.layers[edge.layer].name}`;
    const found = { edge, bottom, names, line: svg("path", { class: "edge", d: edge.path }), hit: svg("path", { class: "hit", d: edge.path }), mark: null };
    found.hit.addEventListener("pointermove", (event) => showTip(found.text, event.clientX, event.clientY));
    found.hit.addEventListener("pointerleave", hideTip);
    if (!bottom.flows) found.mark = this.makeMark(found);
    return found;
  }

  /** The small circle where a gradient stops; it can be focused, and then says why. */
  makeMark(found) {
    const text = `No gradient from ${this.data.layers[found.edge.layer].name} down to ${this.data.layers[found.edge.from].name}: ${found.bottom.reason}`;
    const show = (event) => { const box = event.target.getBoundingClientRect(); showTip(text, box.right, box.top); };
    return svg("circle", { class: "mark", cx: found.edge.x, cy: found.edge.y, r: 4, tabindex: this.tabs ? "0" : "-1", role: "img", "aria-label": text,
      onfocus: show, onblur: hideTip, onpointerenter: show, onpointerleave: hideTip });
  }

  makeNode(layer, i) {
    const { x, y, width, height } = this.data.graph.nodes[i];
    const flag = svg("text", { class: "flag", x: 9, y: -height / 2 - 4 });
    const group = svg("g", { class: "node", role: "button", tabindex: "-1", transform: `translate(${x} ${y})`,
      onclick: () => this.pick(i) },
    svg("rect", { class: "box", x: -width / 2, y: -height / 2, width, height, rx: 5 }),
    svg("rect", { class: "heat", x: -width / 2 + 2, y: -height / 2 + 3, width: 5, height: height - 6, rx: 2 }),
    svg("text", { "text-anchor": "middle", x: 4, y: -2 }, short(layer.name, width)),
    svg("text", { class: "type", "text-anchor": "middle", x: 4, y: 11 }, short(layer.type, width, 6)), flag);
    group.append(svg("title", {}, `${layer.name} (${layer.type})`));
    return { group, flag, layer };
  }

  /** Colours and marks of one frame; `notes[layer]` are {kind, text} from findings and comparison. */
  paint(frame, notes) {
    for (const e of this.edges) {
      const size = frame ? frame.edges[`${e.edge.layer}:${e.edge.bottom}`] : undefined;
      const step = this.levels.step(size), broken = size !== undefined && !finite(size);
      e.line.setAttribute("class", `edge ${e.bottom.flows ? "" : "stop"} ${broken ? "broken" : step === null ? "" : "g" + step}`);
      e.line.style.strokeWidth = broken ? 4 : step === null ? "" : 1.2 + step * 0.9;
      e.text = e.bottom.flows ? `${e.names}: gradient ${size === undefined ? "not recorded" : num(size) + " (root mean square)"}`
        : `${e.names}: no gradient: ${e.bottom.reason}`;
    }
    this.nodes.forEach((node, i) => this.paintNode(node, i, frame, notes[i] || []));
  }

  paintNode(node, i, frame, notes) {
    const size = topGradient(this.data, frame, i), step = this.levels.step(size);
    const worst = ["bad", "first", "warn", "differs"].find((kind) => notes.some((n) => n.kind === kind)) || "";
    node.group.setAttribute("class", `node ${step === null ? "" : "g" + step} ${node.layer.backward ? "" : "still"} ${worst}`);
    const said = notes.find((n) => n.kind === worst && n.flag);
    node.flag.textContent = said ? said.flag : "";
    const gradient = size === undefined ? (node.layer.backward ? "gradient not recorded" : "no gradient") : `gradient ${num(size)}`;
    node.group.setAttribute("aria-label", [`${node.layer.name}, ${node.layer.type}`, gradient, ...notes.map((n) => n.text)].join("; "));
  }

  /** Mark the chosen box; `focus`: also put the keyboard there. */
  choose(layer, focus) {
    this.nodes.forEach((node, i) => {
      node.group.setAttribute("aria-pressed", String(i === layer));
      node.group.setAttribute("tabindex", i === layer ? "0" : "-1");
    });
    const group = this.nodes[layer]?.group;
    if (focus) group?.focus({ preventScroll: true });
    if (group) this.reveal(group);
  }

  /** Scroll the drawing, and nothing else, until a box is in sight (scrollIntoView would also move where Tab begins). */
  reveal(group) {
    const host = this.svg.parentElement, box = group.getBoundingClientRect(), seen = host?.getBoundingClientRect();
    if (!seen?.height) return;
    const by = (low, high, from, to) => (low < from ? low - from - 20 : high > to ? high - to + 20 : 0);
    host.scrollBy(by(box.left, box.right, seen.left, seen.right), by(box.top, box.bottom, seen.top, seen.bottom));
  }

  key(event) {
    const at = this.nodes.findIndex((n) => n.group === event.target);
    if (at < 0) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.pick(at); return; }
    const next = this.neighbour(at, event.key);
    if (next === undefined) return;
    event.preventDefault();
    this.pick(next, true);
  }

  neighbour(at, key) {
    const { edges, nodes } = this.data.graph;
    if (key === "Home") return 0;
    if (key === "End") return nodes.length - 1;
    const near = (list) => list.sort((a, b) => Math.abs(nodes[a].x - nodes[at].x) - Math.abs(nodes[b].x - nodes[at].x))[0];
    if (key === "ArrowDown") return near(edges.filter((e) => e.from === at).map((e) => e.layer)) ?? at;
    if (key === "ArrowUp") return near(edges.filter((e) => e.layer === at).map((e) => e.from)) ?? at;
    if (key !== "ArrowLeft" && key !== "ArrowRight") return undefined;
    const sign = key === "ArrowRight" ? 1 : -1;
    const row = nodes.map((_, i) => i).filter((i) => Math.abs(nodes[i].y - nodes[at].y) < 20 && sign * (nodes[i].x - nodes[at].x) > 1);
    return near(row) ?? Math.min(nodes.length - 1, Math.max(0, at + sign));
  }

  /** The drawing's size on the screen: a factor, or null to fit the width (never larger than life, never unreadable). */
  resize(host, factor) {
    const fit = Math.min(1.15, Math.max(0.72, (host.clientWidth - 24) / this.size[0]));
    this.zoom = factor === null ? fit : Math.min(3, Math.max(0.15, this.zoom * factor));
    this.svg.setAttribute("width", this.size[0] * this.zoom);
    this.svg.setAttribute("height", this.size[1] * this.zoom);
  }
}

/** A name that fits into a box; a long one loses its middle, for names differ most at the end. */
function short(text, width, character = 7.3) {
  const most = Math.floor((width - 18) / character), head = Math.floor(most / 4);
  return text.length > most ? `${text.slice(0, head)}…${text.slice(text.length - (most - head - 1))}` : text;
}

/** The root mean square gradient of a layer's tops, the largest; undefined where there is none. */
function topGradient(data, frame, layer) {
  const found = data.layers[layer].tops.map((top) => frame?.tops[top.value]?.diff).filter(Boolean);
  if (!found.length) return undefined;
  if (found.some((d) => d.bad)) return "NaN";
  return Math.max(...found.map((d) => Number(d.rms)));
}

/** The scale of all gradients of all frames: `step(size)` from 0 to 6, null for none; `ends` are its smallest and largest. */
function gradientLevels(data) {
  const sizes = data.runs.flatMap((run) => run.frames.flatMap((f) => Object.values(f.edges))).map(Number).filter((s) => Number.isFinite(s) && s > 0);
  const high = sizes.length ? sizes.reduce((a, b) => Math.max(a, b)) : 1;
  const low = Math.max(sizes.length ? sizes.reduce((a, b) => Math.min(a, b)) : 0.1, high / 1e8);
  const span = Math.max(Math.log10(high / low), 0.5);
  const step = (size) => {
    if (!finite(size) || Number(size) <= 0) return null;
    return Math.min(STEPS - 1, Math.max(0, Math.floor(STEPS * (1 + Math.log10(Math.max(size, low) / high) / span))));
  };
  return { step, ends: [high / 10 ** span, high], any: sizes.length > 0 };
}

function legend(levels) {
  const [low, high] = levels.ends;
  const ramp = Array.from({ length: STEPS }, (_, i) => {
    const swatch = el("i");
    swatch.style.setProperty("--c", `var(--g${i})`);
    swatch.style.height = `${2 + 2 * i}px`;
    return swatch;
  });
  const sample = (kind) => svg("svg", { width: 26, height: 10, "aria-hidden": "true" }, svg("path", { class: `edge ${kind}`, d: "M1 5H25" }));
  return [
    levels.any ? el("span", { class: "ramp" }, `gradient ${num(low, 2)} `, ramp, ` ${num(high, 2)} (log)`) : "no gradient was recorded",
    el("span", {}, "forward ↓, gradients ↑"),
    el("span", {}, sample("stop"), " no gradient (the circle says why)"),
    el("span", {}, sample(""), " exactly 0"), el("span", {}, sample("broken"), " not finite")];
}

/** The same as a table: one row a layer. */
function layerTable(data, frame, notes, chosen, pick) {
  const head = ["layer", "type", "shape", "gradient", "data", "zeros", "not finite", "update/weight", "where gradients stop, what was found"];
  const rows = data.layers.map((layer, i) => {
    const top = frame?.tops[layer.tops[0]?.value], gradient = topGradient(data, frame, i);
    const ratio = layer.params.map((p) => frame?.params[p.owner]?.ratio).find((r) => r !== undefined);
    const bad = Math.max(Number(top?.data.bad || 0), Number(top?.diff?.bad || 0));
    const stops = layer.bottoms.filter((b) => !b.flows).map((b) => `${b.blob}: ${b.reason}`);
    return el("tr", { "aria-current": String(i === chosen) },
      el("th", { scope: "row" }, el("button", { class: "link", type: "button", onclick: () => pick(i) }, layer.name)), el("td", {}, layer.type),
      el("td", {}, layer.tops[0] ? shape(layer.tops[0].shape) : "–"), el("td", {}, num(gradient)), el("td", {}, num(top?.data.rms)),
      el("td", {}, top ? percent(top.data.zeros || 0) : "–"), el("td", { class: bad ? "bad" : "" }, percent(bad)), el("td", {}, num(ratio)),
      el("td", {}, [...(notes[i] || []).map((n) => n.text), ...stops].join("; ")));
  });
  return el("table", {}, el("caption", { class: "unseen" }, "All layers, in the order of the net"),
    el("thead", {}, el("tr", {}, head.map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, rows));
}

function showTip(text, x, y) {
  const tip = byId("tip");
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 14, innerHeight - tip.offsetHeight - 8))}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}
