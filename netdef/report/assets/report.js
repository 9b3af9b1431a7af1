// The page: what is chosen (iteration, layer, view), and everything drawn anew when that changes.

const state = { data: null, drawing: null, iterations: [], at: 0, layer: null, side: 0, table: false, quantity: null, depth: "gradient", fit: true };

const DEPTHS = {
  gradient: ["gradient of the tops", (data, frame, i) => topGradient(data, frame, i)],
  weights: ["gradient of the weights", (data, frame, i) => paramNumber(data, frame, i, (p) => p.diff && (Number(p.diff.bad) ? "NaN" : p.diff.rms))],
  ratio: ["update / weight", (data, frame, i) => paramNumber(data, frame, i, (p) => p.ratio)],
  data: ["data of the tops", (data, frame, i) => topData(data, frame, i)],
};

function paramNumber(data, frame, layer, of) {
  const first = data.layers[layer].params.find((p) => p.learns);
  const seen = first && frame?.params[first.owner];
  return seen ? of(seen) : undefined;
}

function topData(data, frame, layer) {
  const seen = frame?.tops[data.layers[layer].tops[0]?.value]?.data;
  return seen && (Number(seen.bad) ? "NaN" : seen.rms);
}

/** The frame of a run at the chosen iteration; of the nearest one before, where it has none there. */
function frameAt(run) {
  const iteration = state.iterations[state.at];
  return run.frames.filter((f) => f.iteration <= iteration).at(-1) || run.frames[0];
}

function sides() {
  const two = state.data.runs.length > 1;
  return state.data.runs.map((run) => ({ label: two ? run.label : "", run, frame: frameAt(run) }));
}

/** The comparison at the chosen iteration, null where runs are not compared. */
function compared() {
  return state.data.comparison?.find((c) => c.iteration === state.iterations[state.at]) || null;
}

/** What there is to say of each layer now: {layer: [{kind, text, flag}]}. */
function notesNow() {
  const { data } = state, notes = {};
  const add = (layer, note) => { if (layer !== null && layer >= 0) (notes[layer] ||= []).push(note); };
  const index = new Map(data.layers.map((l, i) => [l.name, i]));
  for (const run of data.runs) {
    for (const f of run.findings) {
      const layer = index.get(f.layer);
      if (layer !== undefined) add(layer, { kind: serious(f) ? "bad" : "warn", text: sentence(f), flag: f.cause });
    }
  }
  sides().forEach(({ label: run, frame }) => data.layers.forEach((layer, i) => numbersNotes(layer, i, frame, run, add)));
  const found = compared();
  found?.differences.forEach((d, k) => add(d.layer, { kind: k ? "differs" : "first", text: d.text, flag: k ? "" : "first difference" }));
  return notes;
}

/** Notes that the numbers of a frame give without a finding: values that are not finite, units that are dead. */
function numbersNotes(layer, i, frame, run, add) {
  const prefix = run ? `${run}: ` : "", bad = [];
  const look = (name, seen) => [["values", seen?.data], ["gradient", seen?.diff]].forEach(([what, n]) => {
    if (n && Number(n.bad)) bad.push(`${what} of ${name} (${percent(n.bad)})`);
  });
  for (const top of layer.tops) look(`'${top.blob}'`, frame?.tops[top.value]);
  for (const p of layer.params) look(p.name, frame?.params[p.owner]);
  if (bad.length) add(i, { kind: "bad", text: `${prefix}not finite: ${bad.join(", ")}` });
  const dead = Number(frame?.layers[i]?.dead || 0);
  if (dead >= 0.9) add(i, { kind: "warn", text: `${prefix}${percent(dead)} of its units are 0 for the whole batch`, flag: `${percent(dead)} dead` });
}

/** Whether it surely spoils something: params may be frozen on purpose. */
function serious(finding) {
  return finding.cause !== "frozen";
}

/** The serious ones first. */
function inOrder(findings) {
  return [...findings].sort((a, b) => serious(b) - serious(a));
}

function sentence(f) {
  return f.what + (f.suggestion ? `. Try: ${f.suggestion}` : "");
}

// findings -----------------------------------------------------------------------------------------------------

function drawFindings() {
  const { data } = state, body = byId("findings-body");
  const cards = data.comparison ? [comparisonCard()] : [];
  for (const { label: run, findings } of data.runs) {
    for (const f of inOrder(findings)) cards.push(findingCard(f, data.runs.length > 1 ? run : ""));
  }
  if (!cards.length) cards.push(el("div", { class: "card fine" }, "The checks found nothing wrong in the iterations shown."));
  body.replaceChildren(...cards);
}

function findingCard(f, run) {
  const layer = state.data.layers.findIndex((l) => l.name === f.layer);
  const chain = f.chain.map((link) => el("li", {}, link.text + (link.span ? ` [${link.span}]` : "")));
  return el("div", { class: `card ${serious(f) ? "" : "mild"}` }, el("p", {}, run ? `${run}: ` : "", el("strong", {}, f.what), " ", layer >= 0 ? jump(layer, `Show ${f.layer}`) : null),
    el("p", { class: "muted" }, `Likely cause: ${f.cause} (${f.meaning})`, f.span ? el("span", { class: "mono" }, ` ${f.span}`) : null),
    f.suggestion ? el("p", {}, `Try: ${f.suggestion}.`) : null,
    chain.length ? el("details", {}, el("summary", {}, "How it came about"), el("ul", {}, chain)) : null);
}

function comparisonCard() {
  const [a, b] = state.data.runs, found = compared();
  const names = [el("span", { class: "side-a" }, `A is ${a.title || a.label}`), "; ", el("span", { class: "side-b" }, `B is ${b.title || b.label}`), ". "];
  if (!found || !found.differences.length) return el("div", { class: "card fine" }, el("p", {}, names, found ? "No layer differs in this iteration." : "This iteration was not compared."));
  const [first, ...rest] = found.differences;
  const item = (d) => el("li", {}, d.layer === null ? d.text : [jump(d.layer, state.data.layers[d.layer].name), d.text.slice(d.text.indexOf(":"))]);
  return el("div", { class: "card first" }, el("p", {}, names),
    el("p", {}, el("strong", {}, `First difference (“here” is A): ${first.text} `), first.layer === null ? null : jump(first.layer, `Show ${state.data.layers[first.layer].name}`)),
    rest.length ? el("details", {}, el("summary", {}, `${found.count - 1} more, in the order of computation`), el("ul", {}, rest.map(item))) : null);
}

function jump(layer, text) {
  return el("button", { class: "link", type: "button", onclick: () => choose(layer) }, text);
}

// curves -------------------------------------------------------------------------------------------------------

function drawCharts() {
  const host = byId("charts"), focused = document.activeElement?.id;
  const cards = [curveCard(), depthCard()];
  host.replaceChildren(...cards.map((c) => c.box));
  for (const { box, draw, nothing } of cards) box.append(draw(Math.max(220, box.clientWidth - 26)) || el("p", { class: "muted" }, nothing));
  if (focused && byId(focused) && host.contains(byId(focused))) byId(focused).focus();
}

function selectOf(id, label, choices, chosen, then) {
  const options = choices.map(([value, text]) => el("option", { value, selected: value === chosen }, text));
  return el("select", { id, "aria-label": label, onchange: (event) => { then(event.target.value); drawCharts(); } }, options);
}

function curveCard() {
  const { data } = state;
  const lossOf = (run) => [{ name: "loss", quantity: "loss", raw: false, points: run.frames.map((f) => [f.iteration, f.loss]) }];
  const all = data.runs.flatMap((run, i) => (run.curves.length ? run.curves : lossOf(run)).map((c) => ({ ...c, side: i, run: run.label })));
  const quantities = [...new Set(all.map((c) => c.quantity))];
  if (!quantities.includes(state.quantity)) state.quantity = quantities[0];
  const series = all.filter((c) => c.quantity === state.quantity).map((c, k) => ({ ...c, kind: `${c.side ? "two" : k ? "more" : ""} ${c.raw ? "raw" : ""}` }));
  const key = series.length > 1 ? el("div", { class: "key" }, series.map((s) => el("span", {}, svg("svg", { viewBox: "0 0 22 8", height: 8 }, svg("path", { class: `line ${s.kind}`, d: "M1 4H21" })), data.runs.length > 1 ? ` ${s.run} ${s.name}` : ` ${s.name}`))) : null;
  const box = el("div", { class: "card chart" }, el("div", { class: "head" }, el("h2", {}, "By iteration"),
    selectOf("quantity", "Which curve", quantities.map((q) => [q, q]), state.quantity, (q) => { state.quantity = q; })), key);
  const now = state.iterations[state.at];
  return { box, draw: (width) => lineChart(width, series, now, `${state.quantity} by iteration, ${describe(series)}`), nothing: "No finite value." };
}

function describe(series) {
  return series.map((s) => `${s.name} from ${num(s.points[0]?.[1])} to ${num(s.points.at(-1)?.[1])}`).join("; ");
}

function depthCard() {
  const { data } = state, [name, of] = DEPTHS[state.depth];
  const series = sides().map(({ frame }, i) => ({ kind: i ? "two" : "", wide: !i && data.runs.length > 1, points: data.layers.map((l, k) => [k, of(data, frame, k), l.name]).filter((p) => p[1] !== undefined) }));
  const box = el("div", { class: "card chart" }, el("div", { class: "head" }, el("h2", {}, "By layer"),
    selectOf("depth", "What of each layer", Object.entries(DEPTHS).map(([k, v]) => [k, v[0]]), state.depth, (q) => { state.depth = q; })));
  return { box, draw: (width) => depthChart(width, series, state.layer, (layer) => choose(layer), `Root mean square of the ${name} of each layer, from the input to the loss`), nothing: "Nothing of this was recorded." };
}

// everything ---------------------------------------------------------------------------------------------------

function drawNet() {
  const notes = notesNow(), frame = frameAt(state.data.runs[state.side] || state.data.runs[0]);
  state.drawing.paint(frame, notes);
  byId("table").replaceChildren(state.table ? layerTable(state.data, frame, notes, state.layer, (i) => choose(i)) : "");
}

function drawPanel() {
  if (state.layer === null) return;
  const differing = Object.fromEntries((compared()?.differences || []).map((d) => [d.what, d.text.slice(d.text.indexOf(":") + 2)]));
  const open = byId("panel").querySelector("details[open]") !== null;
  byId("panel").replaceChildren(...panel(state.data, state.layer, sides(), notesNow()[state.layer] || [], differing).flat(3).filter(Boolean));
  if (open) byId("panel").querySelector("details")?.setAttribute("open", "");
}

function drawTime() {
  const { data, iterations, at } = state;
  byId("time").hidden = !iterations.length;
  const losses = sides().map(({ label: run, frame }) => `${run ? run + " " : ""}loss ${num(frame?.loss, 4)}`).join(", ");
  byId("now").textContent = `iteration ${iterations[at] ?? "–"}: ${losses}`;
  const slider = byId("slider");
  slider.max = Math.max(0, iterations.length - 1);
  slider.value = at;
  slider.setAttribute("aria-valuetext", `iteration ${iterations[at]}, ${losses}`);
  slider.disabled = iterations.length < 2;
  byId("earlier").disabled = at <= 0;
  byId("later").disabled = at >= iterations.length - 1;
  byId("source").textContent = [data.source, `phase ${data.phase}`, `${data.layers.length} layers`, `netdef ${data.netdef}`].filter(Boolean).join(" · ");
}

function drawAll() {
  drawTime();
  drawNet();
  if (state.data.comparison) drawFindings();
  drawCharts();
  drawPanel();
}

function goTo(at) {
  state.at = Math.max(0, Math.min(state.iterations.length - 1, at));
  drawAll();
}

/** Bring the panel's top into sight, where it is not. */
function showPanel() {
  const right = byId("right"), top = byId("panel").offsetTop - right.offsetTop, room = right.clientHeight - 220;
  if (top - right.scrollTop > room || top < right.scrollTop) right.scrollTo({ top: Math.max(0, Math.min(top - 12, top - room + 40)) });
}

function choose(layer, focus = false, shown = true) {
  state.layer = layer;
  state.drawing.choose(layer, focus);
  drawPanel();
  drawCharts();
  if (state.table) drawNet();
  if (shown) showPanel();
  byId("said").textContent = state.drawing.nodes[layer].group.getAttribute("aria-label");
}

/** The layer to begin with: of the first difference, of the first finding, or the first one with weights. */
function firstLayer() {
  const { data } = state;
  const differing = compared()?.differences.find((d) => d.layer !== null);
  if (differing) return differing.layer;
  const found = data.runs.flatMap((r) => inOrder(r.findings)).map((f) => data.layers.findIndex((l) => l.name === f.layer)).find((i) => i >= 0);
  return found ?? Math.max(0, data.layers.findIndex((l) => l.params.length));
}

/** The iteration to begin with: of the first difference, of the first finding that names one, or the last. */
function firstPlace(data) {
  const iteration = data.comparison?.find((c) => c.differences.length)?.iteration
    ?? data.runs.flatMap((r) => r.findings).find((f) => f.iteration !== null)?.iteration;
  const at = state.iterations.indexOf(iteration);
  return at < 0 ? state.iterations.length - 1 : at;
}

function drawSides() {
  const two = state.data.runs.length > 1;
  byId("sides").hidden = !two;
  byId("sides").replaceChildren(...(two ? state.data.runs.map((run, i) => el("button", { type: "button", "aria-pressed": String(i === state.side),
    onclick: () => { state.side = i; drawSides(); drawNet(); } }, run.label)) : []));
}

/** Show a value of `collect.py`. Called again with more frames of the same net, what was chosen stays. */
function show(data) {
  const before = state.data, atEnd = state.at >= state.iterations.length - 1;
  const same = before && JSON.stringify(before.layers) === JSON.stringify(data.layers);
  state.data = data;
  state.iterations = [...new Set(data.runs.flatMap((r) => r.frames.map((f) => f.iteration)))].sort((a, b) => a - b);
  if (!same) state.at = firstPlace(data);
  else if (atEnd) state.at = state.iterations.length - 1;
  document.title = `${data.title}: netdef report`;
  byId("title").textContent = data.title;
  if (!same) state.drawing = new Drawing(data, choose);
  else state.drawing.levels = gradientLevels(data);
  if (!same) byId("drawing").replaceChildren(state.drawing.svg);
  byId("legend").replaceChildren(...legend(state.drawing.levels));
  if (!same) state.drawing.resize(byId("drawing"), null);
  drawSides();
  drawFindings();
  drawAll();
  if (!same) choose(firstLayer(), false, false);
}

function setView(table) {
  state.table = table;
  byId("drawing").hidden = table;
  byId("zoom").hidden = table;
  byId("table").hidden = !table;
  byId("as-drawing").setAttribute("aria-pressed", String(!table));
  byId("as-table").setAttribute("aria-pressed", String(table));
  drawNet();
}

function listen() {
  const zoom = (factor) => () => { state.fit = factor === null; state.drawing.resize(byId("drawing"), factor); };
  byId("slider").addEventListener("input", (event) => goTo(Number(event.target.value)));
  byId("earlier").addEventListener("click", () => goTo(state.at - 1));
  byId("later").addEventListener("click", () => goTo(state.at + 1));
  byId("as-drawing").addEventListener("click", () => setView(false));
  byId("as-table").addEventListener("click", () => setView(true));
  byId("smaller").addEventListener("click", zoom(1 / 1.25));
  byId("larger").addEventListener("click", zoom(1.25));
  byId("fit").addEventListener("click", zoom(null));
  addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
  addEventListener("resize", () => { if (state.data) { if (state.fit) state.drawing.resize(byId("drawing"), null); drawCharts(); } });
}

listen();
window.netdefReport = { show };
const embedded = JSON.parse(byId("data").textContent);
if (embedded) show(embedded);
