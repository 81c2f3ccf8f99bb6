// Lines over training steps, as SVG: a cursor at the page's step, events as dotted lines, values in the legend.

/**
 * chart({ title, caption, lines: [{ name, x, y, colour, dash }], log, low, high, events, place }) -> { element, paint }
 * place(step): where a step is on the x axis, from 0 to 1; by default in proportion.  low, high: the ends of the y axis.
 * left(width), right: the room beside the plot.
 */
function chart({ title, caption, lines, log = false, low, high, events = [], place, height = 200, left = () => 52, right = 10 }) {
  const drawing = svg("svg", { class: "chart" }), paintSlider = stepSlider(drawing);
  const legend = h("div", { class: "legend" });
  const element = h("section", { class: "curve" }, h("h3", {}, title), caption ? h("p", { class: "quiet small" }, caption, place ? " Recorded steps are evenly spaced." : "") : null, drawing, legend);
  lines = lines.map((line, i) => ({ colour: SERIES[i % SERIES.length], dash: DASHES[i % DASHES.length], ...line }));
  const last = Math.max(1, ...lines.map((line) => line.x.at(-1) ?? 0)), across = place ?? ((step) => step / last);
  const scale = yScale(lines, log, low, high);
  const top = 8, bottom = 22;
  const values = lines.map(() => h("span", { class: "number" }));
  legend.append(...lines.map((line, i) => h("span", {}, sample(line), `${line.name} `, values[i])));
  const seen = `${title} over ${whole(last)} ${last === 1 ? "step" : "steps"}: ${lines.map(course).join("; ")}.`;
  let width = 0, cursor;

  function draw() {
    width = fit(drawing, height);
    const start = left(width), x = (step) => start + across(step) * (width - start - right);
    const y = (value) => top + (1 - scale.share(value)) * (height - top - bottom);
    cursor = svg("line", { class: "cursor", y1: top, y2: height - bottom });
    drawing.replaceChildren(
      ...scale.ticks.flatMap((tick) => [
        svg("line", { class: "grid", x1: start, x2: width - right, y1: y(tick), y2: y(tick) }),
        svg("text", { x: start - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick)),
      ]),
      ...stepTicks(last, across, width - start - right).map((step) => svg("text", {
        x: x(step), y: height - 5, "text-anchor": across(step) < 0.04 ? "start" : across(step) > 0.96 ? "end" : "middle",
      }, whole(step))),
      ...events.map((event) => svg("line", { class: "event", x1: x(event.step), x2: x(event.step), y1: top, y2: height - bottom })),
      ...lines.flatMap((line) => paths(line, x, y)),
      cursor,
    );
    drawing.onpointerdown = drawing.onpointermove = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const share = (event.offsetX * (width / drawing.clientWidth) - start) / (width - start - right);
      clock.seek(stepAt(share, last, across));
    };
    drawing.at = x;
  }

  return {
    element,
    paint(step) {
      if (Math.max(280, drawing.clientWidth || 600) !== width) draw();
      const x = drawing.at(Math.min(step, last));
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      lines.forEach((line, i) => { values[i].textContent = short(valueAt(line, step)); });
      paintSlider(seen, lines.map((line, i) => `${line.name} ${values[i].textContent}`).join(", "));
    },
  };
}

function sample({ colour, dash }) {
  return svg("svg", { width: 26, height: 10 }, svg("line", { x1: 0, x2: 26, y1: 5, y2: 5, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash }));
}

/** The last value of a line that is not after a step; NaN if there is none. */
function valueAt({ x, y }, step) {
  let value = NaN;
  for (let i = 0; i < x.length && x[i] <= step; i++) if (!Number.isNaN(y[i])) value = y[i];
  return value;
}

/** A line; a long one as its running mean, with the raw values pale behind it. Gaps where there is no number. */
function paths(line, x, y) {
  const raw = path(line.x, line.y, x, y);
  const style = { fill: "none", stroke: line.colour, "stroke-linejoin": "round" };
  if (line.x.length < 100) return [svg("path", { ...style, d: raw, "stroke-width": 2, "stroke-dasharray": line.dash })];
  const smooth = path(line.x, runningMean(line.y, Math.max(2, Math.floor(line.y.length / 60))), x, y);
  return [
    svg("path", { ...style, d: raw, "stroke-width": 1, opacity: 0.3 }),
    svg("path", { ...style, d: smooth, "stroke-width": 2, "stroke-dasharray": line.dash }),
  ];
}

function path(steps, values, x, y) {
  let text = "", pen = "M";
  for (let i = 0; i < steps.length; i++) {
    const height = y(values[i]);
    if (Number.isNaN(height)) pen = "M";
    else { text += `${pen}${x(steps[i]).toFixed(1)} ${height.toFixed(1)}`; pen = "L"; }
  }
  return text.endsWith("L") || !text.includes("L") && text ? `${text}h.1` : text; // a point alone is a dot
}

/** The mean of each value and its neighbours, as many on either side: near an end fewer, so that the ends stay true. */
function runningMean(values, reach) {
  return Array.from(values, (_, i) => {
    const room = Math.min(reach, i, values.length - 1 - i);
    const near = values.slice(i - room, i + room + 1).filter((value) => !Number.isNaN(value));
    return near.length ? mean(near) : NaN;
  });
}

/** The y axis: share(value) from 0 to 1 and round ticks. 1% of the values at either end may lie outside of it. */
function yScale(lines, log, low, high) {
  const turn = log ? (value) => (value > 0 ? Math.log10(value) : NaN) : (value) => value;
  const all = lines.flatMap((line) => [...line.y]).map(turn).filter(Number.isFinite).sort((a, b) => a - b);
  const cut = all.length >= 100 ? Math.floor(all.length / 100) : 0;
  let bottom = low !== undefined ? turn(low) : all[cut] ?? 0, top = high !== undefined ? turn(high) : all[all.length - 1 - cut] ?? 1;
  const margin = 0.08 * (top - bottom) || 0.5;
  if (low === undefined) bottom -= margin;
  if (high === undefined) top += margin;
  const share = (value) => clamp((turn(value) - bottom) / (top - bottom), -0.02, 1.02);
  return { share, ticks: log ? powers(bottom, top) : roundTicks(bottom, top) };
}

function roundTicks(low, high, most = 5) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power, ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high + 1e-9 * step; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function powers(low, high) {
  const every = Math.max(1, Math.ceil((high - low) / 5)), ticks = [];
  for (let i = Math.ceil(low); i <= high; i++) if (i % every === 0) ticks.push(10 ** i);
  return ticks.length > 1 ? ticks : [-1, 0, 1].flatMap((i) => [1, 2, 5].map((one) => one * 10 ** (Math.floor(low) + i + 1)))
    .filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high);
}

/** Steps for the x axis: far enough from each other to be read. */
function stepTicks(last, across, width) {
  const round = roundTicks(0, last, clamp(Math.floor(width / 110), 2, 8)).filter(Number.isInteger);
  const candidates = across(last / 2) === 0.5 ? round : clock.steps;
  const ticks = [];
  for (const step of candidates) if (!ticks.length || across(step) - across(ticks.at(-1)) > 70 / width) ticks.push(step);
  return ticks;
}

/** The step at a place of the x axis, by bisection: `across` never falls. */
function stepAt(share, last, across) {
  let low = 0, high = last;
  for (let i = 0; i < 40; i++) [low, high] = across((low + high) / 2) < share ? [(low + high) / 2, high] : [low, (low + high) / 2];
  return high + 1e-6;
}

/**
 * The x axis on which each recorded step has the same room, so that the many early ones are visible.
 * half: the room at either end, as a share of a step's: 0.5 puts a step in the middle of a column.
 */
function placeOfFrames(run, half = 0) {
  const steps = run.recorded, last = steps.length - 1;
  return (step) => {
    const i = clamp(steps.findLastIndex((one) => one <= step), 0, last);
    const within = i < last ? (step - steps[i]) / (steps[i + 1] - steps[i]) : 0;
    return (i + clamp(within, 0, 1) + half) / (last + 2 * half || 1);
  };
}

/** Give an SVG drawing one unit for each pixel of its width, and a height; returns the width. */
function fit(drawing, height) {
  const width = Math.max(280, drawing.clientWidth || 600);
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.style.height = `${height}px`;
  return width;
}
