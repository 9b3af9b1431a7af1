// The live view: asks the server for what is new, shows it, and says how the run goes. Part of the report page's script.

const live = { key: "", since: -1, tag: null, data: null, lost: false };
const WORDS = { training: "training", finished: "finished", stopped: "stopped", waiting: "not begun" };

function lay() {
  const line = el("p", { id: "live", role: "status", "aria-live": "polite" }, "connecting");
  const numbers = el("p", { id: "live-numbers", class: "muted" });
  const back = location.pathname === "/" ? null : el("a", { href: "/", id: "all-runs" }, "All runs");
  byId("title").closest(".name").append(el("div", { id: "live-line" }, line, numbers, back));
  byId("right").append(el("section", { id: "config", class: "card", hidden: true }, el("h2", {}, "Config"), el("div", { id: "config-body" })));
  const style = el("style", {}, "#live-line{display:flex;flex-wrap:wrap;gap:2px 12px;align-items:baseline}#live{font-weight:600}"
    + "#live.training{color:var(--good)}#live.lost,#live.stopped{color:var(--warn)}#live-line a{color:var(--accent)}"
    + "#config pre{margin:4px 0 10px;padding:8px;background:var(--back);overflow:auto;max-height:420px;font-size:12px}");
  document.head.append(style);
}

/** The line that a screen reader hears: it changes with the state alone, the numbers stand beside it. */
function say(text, kind) {
  if (byId("live").textContent === text) return;
  byId("live").textContent = text;
  byId("live").className = kind;
}

/** Whether the server ends with the training: that of `netdef train --serve` does, that of `netdef board` stays. */
function endsWith(status) {
  return location.pathname === "/" && (status.state === "finished" || status.state === "stopped");
}

function tell(status) {
  const { state: now, iteration, end, notes } = status;
  const at = end ? ` ${iteration} of ${end}` : ` ${iteration}`;
  const stays = now === "training" || now === "waiting" ? "" : now === "stopped" ? ` at iteration${at}` : ` after ${iteration} iterations`;
  say(WORDS[now] + stays + notes.map((n) => `. ${n}`).join("") + (endsWith(status) ? `; netdef board ${status.name} shows it again` : ""), now);
  const outputs = Object.entries(status.outputs).map(([name, value]) => `test ${name} ${num(value)}`);
  byId("live-numbers").textContent = [now === "training" ? `iteration${at}` : "", status.loss === null ? "" : `loss ${num(status.loss)}`, ...outputs].filter(Boolean).join(" · ");
  document.title = `${now === "training" ? `${iteration}: ` : ""}${status.title} (${WORDS[now]})`;
}

function drawConfig(files) {
  byId("config").hidden = !Object.keys(files).length;
  byId("config-body").replaceChildren(...Object.entries(files).map(([name, text]) =>
    el("details", {}, el("summary", {}, name), el("pre", { tabindex: "0", role: "region", "aria-label": name }, text))));
}

/** Lay what came over what is there. */
function merge(got) {
  const fresh = got.head !== null;
  const keep = new Set(got.keep), newer = new Set(got.frames.map((f) => f.iteration));
  const old = fresh ? [] : live.data.runs[0].frames.filter((f) => keep.has(f.iteration) && !newer.has(f.iteration));
  const head = fresh ? got.head : live.data;
  const run = { label: "A", title: got.status.name, frames: [...old, ...got.frames], curves: got.curves, findings: got.findings };
  live.data = { ...head, source: got.status.name, runs: [run] };
  live.key = got.key;
  live.since = run.frames.at(-1)?.iteration ?? -1;
  if (fresh) drawConfig(got.config);
}

/** Show it, with what was chosen, where the panel was scrolled to, and what had the focus. */
function showLive() {
  const iteration = state.iterations[state.at], atEnd = state.at >= state.iterations.length - 1;
  const right = byId("right"), at = right.scrollTop, drawing = byId("drawing").scrollTop;
  netdefReport.show(live.data);
  if (!atEnd) {
    const earlier = state.iterations.filter((i) => i <= iteration).length - 1;
    if (state.at !== earlier) goTo(earlier);
  }
  const fine = byId("findings-body").querySelector(".fine");
  if (fine && live.key.startsWith("still")) {
    fine.textContent = "This run was not measured layer by layer, as --serve and --html do. The numbers are those of the weights in its newest snapshot.";
  }
  right.scrollTop = at;
  byId("drawing").scrollTop = drawing;
}

/** Whether a list of choices is open: drawing it anew would close it. */
function choosing() {
  try {
    return document.querySelector("select:open") !== null;
  } catch {
    return false;
  }
}

async function ask() {
  const headers = live.tag ? { "If-None-Match": live.tag } : {};
  const answer = await fetch(`data?key=${encodeURIComponent(live.key)}&since=${live.since}`, { headers, cache: "no-store" });
  if (answer.status === 304) return null;
  if (!answer.ok) throw new Error(String(answer.status));
  const text = await answer.text();
  return { got: JSON.parse(text), tag: answer.headers.get("ETag"), asked: live.key };
}

/** Ask, show, wait: a second, or longer where showing takes long. */
async function follow() {
  const began = performance.now();
  let now = live.status?.state;
  try {
    const found = choosing() ? null : await ask();
    if (found) {
      const had = [live.key, live.since].join();
      merge(found.got);
      live.tag = had === [live.key, live.since].join() ? found.tag : null;
      live.status = found.got.status;
      now = live.status.state;
      showLive();
    }
    if (live.status && (found || live.lost)) tell(live.status);
    live.lost = false;
  } catch (error) {
    if (!(error instanceof TypeError) && !/^\d+$/.test(error.message)) console.error(error);
    live.lost = true;
    live.tag = null;
    if (now === "training" || now === "waiting" || !live.status) say("connection lost; trying again", "lost");
  }
  if (live.status && endsWith(live.status)) return;
  const wait = Math.max(live.lost ? 3000 : now === "training" ? 1000 : 3000, 20 * (performance.now() - began));
  setTimeout(follow, wait);
}

lay();
follow();
