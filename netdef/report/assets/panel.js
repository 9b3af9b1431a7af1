// The panel of the chosen layer: how the gradient flows, what its arrays hold, pictures; for one run or two side by side.

const USUAL = "about 0.001 is usual";

/** `seen` are {label, frame} of each run; `notes` {kind, text} of this layer; `differing` texts by array ("blob ip1 data"). */
function panel(data, index, seen, notes, differing) {
  const layer = data.layers[index];
  const parts = [
    el("div", { class: "top" }, el("h2", { id: "layer-name" }, layer.name), el("span", { class: "chip" }, layer.type),
      health(index, seen), el("span", { class: "muted mono" }, layer.line)),
    notes.filter((n) => n.kind !== "differs").map((n) => el("p", {}, el("span", { class: `chip ${n.kind === "bad" ? "bad" : n.kind === "warn" ? "warn" : ""}` }, label(n.kind)), " ", n.text)),
    el("div", { class: "card" }, el("h3", {}, "Where the gradient goes"), flow(data, layer, index, seen))];
  for (const top of layer.tops) parts.push(topCard(layer, top, seen, differing));
  for (const param of layer.params) parts.push(paramCard(data, layer, param, seen, differing));
  return parts;
}

function label(kind) {
  return { bad: "problem", warn: "look here", first: "first difference", differs: "differs" }[kind] || kind;
}

/** Dead and saturated units, a chip a run. */
function health(index, seen) {
  return seen.map(({ label: run, frame }) => {
    const found = frame?.layers[index];
    if (!found) return null;
    const dead = found.dead !== undefined, share = Number(dead ? found.dead : found.saturated);
    const text = dead ? `dead units ${percent(share)}` : `saturated values ${percent(share)}`;
    const title = dead ? "units that are 0 for the whole batch and pass no gradient" : "values within 1 % of the ends of the curve";
    return el("span", { class: `chip ${share >= 0.9 ? "bad" : share >= 0.5 ? "warn" : ""}`, title }, run ? `${run}: ${text}` : text);
  });
}

function flow(data, layer, index, seen) {
  const items = layer.bottoms.map((bottom, i) => {
    const from = bottom.from === null ? "nobody" : data.layers[bottom.from].name;
    if (!bottom.flows) return el("li", {}, el("strong", {}, "⊘ "), `no gradient goes to ${from} ('${bottom.blob}'): ${bottom.reason}`);
    const sizes = seen.map(({ label: run, frame }) => `${run ? run + " " : ""}${num(frame?.edges[`${index}:${i}`])}`).join(", ");
    return el("li", {}, `↑ to ${from} ('${bottom.blob}'): root mean square ${sizes}`);
  });
  if (!layer.bottoms.length) items.push(el("li", {}, "It has no bottoms."));
  if (!layer.backward) items.push(el("li", { class: "muted" }, `Its backward does not run: ${layer.reason}.`));
  return el("ul", { class: "flow" }, items);
}

function topCard(layer, top, seen, differing) {
  const body = [el("h3", {}, "top ", el("code", {}, top.blob), ` ${shape(top.shape)}`)];
  body.push(arrays(seen, (frame) => frame?.tops[top.value], [["data", "Data", `blob ${top.name} data`], ["diff", "Gradient", `blob ${top.name} gradient`]], differing));
  if (!top.gradient && layer.backward) body.push(el("p", { class: "muted" }, `No gradient: ${top.reason}.`));
  body.push(shots(seen, (frame) => frame?.tops[top.value]?.picture, "Channels of the batch's first item"));
  return el("div", { class: "card" }, body);
}

function paramCard(data, layer, param, seen, differing) {
  const key = `param ${layer.name} ${param.index}`;
  const owner = param.owner === param.id ? null : data.layers.find((l) => l.params.some((p) => p.id === param.owner));
  const rate = param.learns ? `lr_mult ${num(param.lr_mult)}` : `does not learn: ${param.reason}`;
  const body = [el("h3", {}, `${param.name} `, el("code", {}, `${layer.name}[${param.index}]`), ` ${shape(param.shape)} `, el("span", { class: "muted" }, rate))];
  if (owner) body.push(el("p", {}, `Shared with layer ${owner.name}: one array, whose gradient is the sum over its uses.`));
  const of = (frame) => frame?.params[param.owner];
  for (const { label: run, frame } of seen) {
    const ratio = of(frame)?.ratio;
    if (ratio !== undefined) body.push(el("p", {}, ratioChip(run, ratio)));
  }
  body.push(arrays(seen, of, [["data", "Value", `${key} data`], ["diff", "Gradient", `${key} gradient`], ["update", "Update (new less old)", null]], differing));
  body.push(shots(seen, (frame) => of(frame)?.picture, "Filters"), shots(seen, (frame) => of(frame)?.diff_picture, "Gradients of the filters"));
  return el("div", { class: "card" }, body);
}

function ratioChip(run, ratio) {
  const n = Number(ratio), kind = !Number.isFinite(n) || n >= 0.5 ? "bad" : n >= 0.1 ? "warn" : "";
  const text = ratio === "Infinity" ? "update from 0" : `update/weight ${num(ratio)}`;
  return [el("span", { class: `chip ${kind}` }, run ? `${run}: ${text}` : text), el("span", { class: "muted" }, ` ${USUAL}`)];
}

/** The arrays of one holder: beside each other for one run; for two a line each, the runs beside each other. */
function arrays(seen, of, kinds, differing) {
  const card = (kind, title, key, run, i) => {
    const numbers = of(seen[i].frame)?.[kind];
    if (!numbers) return run && seen.some((s) => of(s.frame)?.[kind]) ? el("div", { class: "array" }, el("h4", {}, sideName(run, i), ` ${title}`), el("p", { class: "muted" }, "not recorded")) : null;
    return el("div", { class: "array" }, el("h4", {}, run ? sideName(run, i) : null, title), histogram(numbers, title), numberList(numbers));
  };
  if (seen.length === 1) return el("div", { class: "arrays" }, kinds.map(([kind, title, key]) => card(kind, title, key, "", 0)));
  return kinds.map(([kind, title, key]) => {
    const cards = seen.map((s, i) => card(kind, title, key, s.label, i)).filter(Boolean);
    if (!cards.length) return null;
    return el("div", { class: "group" }, differing[key] ? el("p", { class: "side-first" }, `≠ ${differing[key]}`) : null, el("div", { class: "arrays pair" }, cards));
  });
}

function sideName(run, i) {
  return el("span", { class: i ? "side-b" : "side-a" }, run);
}

function numberList(n) {
  const rows = [["mean ± std", n.mean === undefined ? "–" : `${num(n.mean)} ± ${num(n.std)}`], ["root mean square", num(n.rms)],
    ["zeros", percent(n.zeros || 0)]];
  const list = rows.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]);
  const bad = Number(n.bad || 0);
  list.push(el("dt", {}, "not finite"), el("dd", { class: bad ? "bad" : "" }, bad ? `${percent(bad)} (${Math.max(1, Math.round(bad * n.count))} of ${n.count})` : "none"));
  return el("dl", { class: "numbers" }, list);
}

function shots(seen, of, what) {
  return seen.map(({ label: run, frame }) => {
    const picture = of(frame);
    return picture ? pictures(picture, run ? `${run}: ${what}` : what) : null;
  });
}
