// Charts as SVG: curves over iterations, one point a layer over depth, histograms, pictures on canvases.

const CHART = { left: 46, right: 10, top: 8, bottom: 22, height: 150 };

/** How values lie on an axis: `at(value)` from 0 to 1, and ticks; logarithmic where asked for. */
function scale(values, log) {
  let low = Math.min(...values), high = Math.max(...values);
  const shift = log ? Math.log10 : (x) => x;
  [low, high] = [shift(low), shift(high)];
  if (high - low < (log ? 0.3 : 1e-12 + 1e-6 * Math.abs(high))) {
    const more = log ? 0.5 : Math.abs(high) * 0.1 || 1;
    [low, high] = [low - more, high + more];
  }
  return { at: (x) => (shift(x) - low) / (high - low), ticks: log ? logTicks(low, high) : linearTicks(low, high) };
}

function linearTicks(low, high) {
  const rough = (high - low) / 3, unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((k) => unit * k >= rough);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return found;
}

function logTicks(low, high) {
  const first = Math.ceil(low - 1e-9), last = Math.floor(high + 1e-9);
  if (last < first) return [10 ** low, 10 ** high];
  const step = Math.max(1, Math.ceil((last - first) / 3));
  const found = [];
  for (let k = first; k <= last; k += step) found.push(10 ** k);
  return found;
}

/** An SVG with both axes drawn; `x(v)` and `y(v)` give pixels. */
function frameOf(width, xs, ys, log, label, xTicks) {
  const { left, right, top, bottom, height } = CHART;
  const h = scale(xs, false), v = scale(ys, log);
  const x = (value) => left + h.at(value) * (width - left - right);
  const y = (value) => height - bottom - v.at(value) * (height - top - bottom);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "group", "aria-label": label });
  for (const t of v.ticks) {
    picture.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: y(t), y2: y(t) }),
      svg("text", { x: left - 5, y: y(t) + 4, "text-anchor": "end" }, num(t)));
  }
  for (const t of xTicks || h.ticks.filter(Number.isInteger)) {
    picture.append(svg("text", { x: x(t), y: height - 6, "text-anchor": "middle" }, String(t)));
  }
  return { picture, x, y };
}

/** The points of a series in runs without a gap; a value that is not finite, or not above 0 on a log axis, ends one. */
function pieces(points, log) {
  const found = [[]];
  for (const [x, y] of points) {
    if (finite(y) && (!log || y > 0)) found.at(-1).push([x, y]);
    else if (found.at(-1).length) found.push([]);
  }
  return found.filter((piece) => piece.length);
}

/** Curves: series are {name, points, kind}; `now` is the iteration chosen. Null where there is no finite point. */
function lineChart(width, series, now, label) {
  const all = series.flatMap((s) => s.points);
  const shown = all.filter((p) => finite(p[1])).map((p) => p[1]);
  if (!shown.length) return null;
  const log = Math.min(...shown) > 0 && Math.max(...shown) / Math.min(...shown) > 50;
  const { picture, x, y } = frameOf(width, all.map((p) => p[0]), shown, log, label);
  for (const s of series) {
    for (const piece of pieces(s.points, log)) {
      picture.append(svg("path", { class: `line ${s.kind}`, d: "M" + piece.map((p) => `${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`).join("L") }));
      if (piece.length === 1) picture.append(svg("circle", { class: `dot ${s.kind}`, cx: x(piece[0][0]), cy: y(piece[0][1]), r: 2.5 }));
    }
  }
  const xs = all.map((p) => p[0]);
  if (now >= Math.min(...xs) && now <= Math.max(...xs)) {
    picture.append(svg("line", { class: "now", x1: x(now), x2: x(now), y1: CHART.top, y2: CHART.height - CHART.bottom }));
  }
  return picture;
}

/** One dot a layer: series are {kind, points: [[layer, value, name]]}, always on a log axis; `pick(layer)` on a click. */
function depthChart(width, series, chosen, pick, label) {
  const all = series.flatMap((s) => s.points);
  const shown = all.map((p) => Number(p[1])).filter((v) => Number.isFinite(v) && v > 0);
  if (!shown.length) return null;
  const floor = Math.max(Math.min(...shown), Math.max(...shown) / 1e12);
  const { picture, x, y } = frameOf(width, all.map((p) => p[0]), shown.map((v) => Math.max(v, floor)), true, label, []);
  picture.append(svg("text", { x: CHART.left, y: CHART.height - 6 }, "input"),
    svg("text", { x: width - CHART.right, y: CHART.height - 6, "text-anchor": "end" }, "loss"));
  for (const s of series) {
    for (const piece of pieces(s.points.map((p) => [p[0], p[1] > 0 ? Math.max(p[1], floor) : p[1]]), true)) {
      picture.append(svg("path", { class: `line raw ${s.kind}`, d: "M" + piece.map((p) => `${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`).join("L") }));
    }
    for (const [layer, value, name] of s.points) {
      const bad = value !== null && !finite(value), zero = Number(value) === 0;
      const height = bad ? CHART.top + 4 : zero ? CHART.height - CHART.bottom : y(Math.max(value, floor));
      const dot = svg("circle", { class: `dot ${s.kind} ${bad ? "broken" : ""} ${layer === chosen ? "on" : ""}`, cx: x(layer),
        cy: height, r: (layer === chosen ? 5 : s.points.length > 250 ? 1.7 : 3) + (s.wide ? 1.5 : 0), onclick: () => pick(layer) });
      dot.append(svg("title", {}, `${name}: ${num(value)}`));
      picture.append(dot);
    }
  }
  return picture;
}

/** The histogram of an array's numbers, with its ends written below and a line at 0. */
function histogram(numbers, what) {
  if (numbers.min === undefined) return el("p", { class: "muted" }, "no finite value");
  if (!numbers.hist) return el("p", { class: "muted" }, `every value is ${num(numbers.min)}`);
  const levels = bytes(numbers.hist);
  const bars = [...levels].map((b, i) => b ? `M${i} 100V${(100 - Math.max(2, 100 * b / 255)).toFixed(1)}H${i + 0.92}V100Z` : "");
  const picture = svg("svg", { class: "histogram", viewBox: `0 0 ${levels.length} 100`, preserveAspectRatio: "none", role: "img",
    "aria-label": `Histogram of ${what}, from ${num(numbers.min)} to ${num(numbers.max)}` },
  svg("title", {}, "how often each range of values occurs; heights are square roots, so that rare values show"), svg("path", { d: bars.join("") }));
  if (numbers.min < 0 && numbers.max > 0) {
    const at = levels.length * numbers.min / (numbers.min - numbers.max);
    picture.append(svg("line", { x1: at, x2: at, y1: 0, y2: 100, "vector-effect": "non-scaling-stroke" }));
  }
  return el("div", {}, picture, el("div", { class: "ends" }, el("span", {}, num(numbers.min)), el("span", {}, num(numbers.max))));
}

/** The colour of one byte of a signed picture: blue below 0, orange above, grey at 0. */
function signed(level) {
  const t = (level - 127) / 127;
  return t < 0 ? [235 + 205 * t, 235 + 130 * t, 235 + 30 * t] : [235 - 10 * t, 235 - 130 * t, 235 - 215 * t];
}

/** The planes of a picture, each on a canvas of its own. */
function pictures(picture, what) {
  const { planes, total, width, height, kind } = picture;
  const levels = bytes(picture.bytes), size = width * height;
  const canvases = Array.from({ length: planes }, (_, k) => {
    const canvas = el("canvas", { width, height, role: "img", "aria-label": `${what}, number ${k}` });
    const image = new ImageData(width, height);
    for (let i = 0; i < size; i++) image.data.set([...pixel(levels, k * size + i, kind), 255], 4 * i);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  });
  const scaleText = kind === "signed" ? `; blue is −${num(picture.reach)}, grey 0, orange ${num(picture.reach)}` : "";
  const count = planes < total ? `the first ${planes} of ${total}` : `all ${total}`;
  return el("div", { class: "group" }, el("p", { class: "muted" }, `${what}: ${count}${scaleText}`), el("div", { class: "pictures" }, canvases));
}

function pixel(levels, i, kind) {
  if (kind === "colour") return [levels[3 * i + 2], levels[3 * i + 1], levels[3 * i]];
  if (levels[i] === 255) return [214, 0, 147];
  return kind === "signed" ? signed(levels[i]) : [levels[i], levels[i], levels[i]];
}
