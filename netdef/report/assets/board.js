// The list of runs: a table, and a chart a quantity with the curves of the runs that are ticked.

const board = { runs: [], off: new Set(), seen: new Set(), tag: null, key: "", lost: false };
const COLOURS = 8, AT_FIRST = 8;
const STATES = { training: "training", finished: "finished", stopped: "stopped", waiting: "not begun" };

/** A run keeps its colour, whatever others are ticked. */
function colour(run) {
  return `c${run.id % COLOURS}`;
}

function swatch(kind) {
  return svg("svg", { class: "swatch", viewBox: "0 0 26 8", "aria-hidden": "true" }, svg("path", { class: `line ${kind}`, d: "M1 4H25" }));
}

function drawRuns() {
  const focused = document.activeElement?.id;
  const outputs = [...new Set(board.runs.flatMap((r) => Object.keys(r.outputs)))].filter((n) => n !== "loss").slice(0, 3);
  const heads = [["Curves"], ["Run"], ["Net"], ["State"], ["Iterations", "number"], ["Loss", "number"],
    ["Test loss", "number"], ...outputs.map((n) => [`Test ${n}`, "number"]), ["Started"]];
  const row = (run) => {
    const tick = el("input", { type: "checkbox", id: `tick-${run.id}`, checked: !board.off.has(run.id), "aria-label": `Draw the curves of ${run.name}`,
      onchange: (event) => { board.off[event.target.checked ? "delete" : "add"](run.id); drawCurves(); } });
    const end = run.end ? ` / ${run.end}` : "";
    return el("tr", {}, el("td", {}, tick, " ", swatch(colour(run))), el("td", {}, el("a", { href: `run/${run.id}/`, id: `run-${run.id}` }, run.name)), el("td", {}, run.title),
      el("td", { class: `state-${run.state}` }, [STATES[run.state], ...run.notes].join("; ")), el("td", { class: "number" }, `${run.iteration}${end}`),
      el("td", { class: "number" }, num(run.loss)), el("td", { class: "number" }, num(run.outputs.loss)),
      outputs.map((n) => el("td", { class: "number" }, num(run.outputs[n]))), el("td", {}, run.started ? new Date(run.started).toLocaleString() : "–"));
  };
  byId("runs").replaceChildren(el("thead", {}, el("tr", {}, heads.map(([text, kind]) => el("th", { scope: "col", class: kind }, text)))),
    el("tbody", {}, board.runs.map(row)));
  if (focused && byId(focused)) byId(focused).focus();
}

function drawCurves() {
  const shown = board.runs.filter((r) => !board.off.has(r.id));
  const all = shown.flatMap((run) => run.curves.filter((c) => !c.raw).map((c) => ({ ...c, run, kind: `${colour(run)} ${c.name.startsWith("test") ? "test" : ""}` })));
  const quantities = [...new Set(all.map((c) => c.quantity))];
  const host = byId("charts");
  if (!quantities.length) {
    host.replaceChildren(el("p", { class: "muted" }, board.runs.length ? "No run that is ticked has curves yet." : "There are no runs yet."));
    return;
  }
  const cards = quantities.map((quantity) => {
    const series = all.filter((c) => c.quantity === quantity);
    const key = el("div", { class: "key" }, series.map((s) => el("span", {}, swatch(s.kind), ` ${s.run.name}: ${s.name} ${num(s.points.at(-1)?.[1])}`)));
    return { series, quantity, box: el("div", { class: "card chart" }, el("h2", {}, quantity), key) };
  });
  host.replaceChildren(...cards.map((c) => c.box));
  for (const { series, quantity, box } of cards) {
    const label = `${quantity} by iteration: ${series.map((s) => `${s.run.name} ${s.name} ends at ${num(s.points.at(-1)?.[1])}`).join("; ")}`;
    box.append(lineChart(Math.max(220, box.clientWidth - 26), series, NaN, label) || el("p", { class: "muted" }, "No finite value."));
  }
}

function say(text) {
  if (byId("live").textContent !== text) byId("live").textContent = text;
}

function take(runs) {
  board.runs = runs.sort((a, b) => (b.started || "").localeCompare(a.started || "") || b.id - a.id);
  for (const [k, run] of board.runs.entries()) {
    if (!board.seen.has(run.id) && k >= AT_FIRST) board.off.add(run.id);
    board.seen.add(run.id);
  }
  drawRuns();
  drawCurves();
}

async function follow() {
  const began = performance.now();
  try {
    const answer = await fetch("data", { headers: board.tag ? { "If-None-Match": board.tag } : {}, cache: "no-store" });
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(String(answer.status));
      take((await answer.json()).runs);
      board.tag = answer.headers.get("ETag");
    }
    const training = board.runs.filter((r) => r.state === "training").length;
    say(`${board.runs.length} run${board.runs.length === 1 ? "" : "s"}${training ? `, ${training} being trained` : ""}`);
    board.lost = false;
  } catch (error) {
    if (!(error instanceof TypeError) && !/^\d+$/.test(error.message)) console.error(error);
    board.lost = true;
    say("connection lost; trying again");
  }
  setTimeout(follow, Math.max(board.lost ? 4000 : 2000, 20 * (performance.now() - began)));
}

addEventListener("resize", () => drawCurves());
follow();
