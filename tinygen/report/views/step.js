// Follow one gradient: a whole training step on its tape, op by op, forward and back, with the usual mistakes.

const COLOURS = { "--c1": "blue", "--c2": "orange", "--c3": "green", "--c5": "pale blue", "--c6": "yellow" };
const PARTS = { mu: "--c3", logvar: "--c6" }; // the two ways from the encoder to z
const walks = []; // the walks on the page, which the keys move

view({
  id: "step",
  order: 2,
  title: "Follow one gradient",
  timeless: true,
  caption: (runs) => `One training step of this run's newest checkpoint, as it stands on the tape: forward from left to right, each op makes its value; backward from right to left, each op's rule turns the gradient that arrives into one for each of its arguments. ${runs.some((run) => run.adversarial) ? "D and G share one tape; which of them learns is decided by where the gradient is stopped. " : ""}${runs.some((run) => hasDraw(run) && !run.adversarial) ? "Encoder and decoder share one tape; between them lies the draw of z, which passes the gradient on in two ways." : ""}`,
  hints: (runs) => [
    "Press next, or →, and read the panel: what comes in, what the op does, which line of code called it. Click a layer to see the ops inside.",
    "The rule that you see is the one that ran: the text is read from tinygen's source. gy is the gradient that arrives.",
  ],
  suits: (run) => Boolean(run.follow),
  make: (body, runs) => {
    walks.length = 0;
    return beside(body, runs, stepPanel);
  },
  key: (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input, summary")) return false;
    const moves = { ArrowRight: (walk) => walk.move(1), ArrowLeft: (walk) => walk.move(-1), Home: (walk) => walk.go(0), End: (walk) => walk.go(Infinity) };
    const act = moves[event.key] ?? (event.key === " " && !event.target.matches("button, [tabindex]") ? (walk) => walk.toggle() : null);
    if (!act) return false;
    walks.forEach(act);
    return true;
  },
});

/** Whether z is drawn from the encoder's mu and logvar. */
function hasDraw(run) {
  return run.follow.steps.some((step) => step.graph.nodes.some((node) => node.part === "logvar"));
}

/** What each colour means. */
function hueText(run) {
  const drawn = new Set(run.follow.steps.flatMap((step) => step.graph.nodes.map((node) => node.network))), names = {};
  const add = (hue, name) => (names[hue] ??= []).push(name);
  for (const name of run.way.filter((one) => drawn.has(one))) add(run.hue(name), name);
  if (hasDraw(run)) for (const [part, hue] of Object.entries(PARTS)) add(hue, `the way of ${part}`);
  const text = Object.entries(names).map(([hue, list]) => `${COLOURS[hue]}: ${list.join(" and ")}`).join("; ");
  return text ? `${text[0].toUpperCase()}${text.slice(1)}. ` : "";
}

/** One run's step: its map, its tape, the walk over it, the panel on the current op and the table of gradients. */
function stepPanel(panel, run) {
  const { steps } = run.follow;
  const fresh = (step) => ({ step, careful: true, clear: true, index: 0, open: new Set(), followed: step.graph.numbers[0] ?? null });
  const state = { run, ...fresh(steps.at(-1)), scale: matchMedia("(max-width: 500px)").matches ? 1.1 : 1, timer: null };
  const map = stepMap(state, (id) => walk.find((one) => one.node.id === id || one.node.inside === id));
  const drawing = svg("svg", { class: "tape", role: "group", "aria-label": "the tape of a training step" });
  const frame = h("div", { class: "scroll tapes", tabindex: 0, role: "group", "aria-label": "the tape; arrow keys walk over it" }, drawing);
  const about = h("div", { class: "about" }), table = h("div", {}), notes = h("ul", { class: "quiet small notes" });
  const walk = walkOver(state, drawing, show);
  const tools = toolbar(state, change, show, walk), numbers = numberChooser(state, walk, show);
  const moves = moveBar(state, walk);
  const choose = choice(Object.fromEntries(steps.map((step) => [step.name, `${step.name}'s step`])), state.step.name, (name) => {
    walk.pause();
    Object.assign(state, fresh(steps.find((step) => step.name === name)));
    show();
  }, "step");
  panel.append(
    ...(run.follow.generated ? [h("p", { class: "quiet small" }, "Here x are samples of the model's own: this run's data are unavailable, and its recording keeps none. Train again to record some.")] : []),
    ...(steps.length > 1 ? [choose] : []),
    map.element, tools.element, frame,
    h("p", { class: "quiet small" }, hueText(run), "Filled: its value is computed; thick pink outline: a gradient has arrived. ", steps.some((step) => step.shielded.length) ? "Dotted: left out of the tape, or frozen." : ""),
    moves.element, numbers.element, notes,
    h("div", { class: "step" }, about, table),
  );
  walks.push(walk);

  /** Do something to the picture and stay at the same op. */
  function change(act) {
    const now = walked(state)[state.index];
    act();
    const after = walked(state);
    const same = after.findIndex((one) => one.phase === now.phase && (one.node.id === now.node.id || one.node.inside === now.node.id || now.node.inside === one.node.id));
    state.index = Math.max(0, same);
    show();
  }

  function show() {
    const all = walked(state);
    state.index = clamp(state.index, 0, all.length - 1);
    const now = all[state.index];
    tools.paint();
    moves.paint(all);
    drawTape(drawing, state, all, (node) => {
      if (node.inner || node.inside) change(() => { const id = node.inside ?? node.id; state.open.has(id) ? state.open.delete(id) : state.open.add(id); });
      else walk.go(all.findIndex((one) => one.node.id === node.id));
    });
    map.paint(all);
    numbers.paint();
    notes.replaceChildren(...notesOn(run, state.step).map((note) => h("li", {}, note)));
    about.replaceChildren(...aboutNode(now, state));
    table.replaceChildren(...received(state));
    const { x, y } = drawing.dataset;
    frame.scrollTo({ left: x - frame.clientWidth / 2, top: y - frame.clientHeight / 2, behavior: state.timer ? smoothly() : "instant" });
  }
  return show;
}

/** What moves over a step: go, move, find, play. */
function walkOver(state, drawing, show) {
  const last = () => walked(state).length - 1;
  const walk = {
    go(index) {
      state.index = clamp(index, 0, last());
      show();
      const all = walked(state), { node, phase } = all[state.index];
      if (!state.timer) announce(`${phase}, ${node.title}, ${state.index + 1} of ${all.length}`);
    },
    move(by) { walk.pause(); walk.go(state.index + by); },
    /** Go to the first place in the current phase for which something holds, else to the first of all. */
    find(holds) {
      const all = walked(state), { phase } = all[state.index];
      const found = all.findIndex((one) => one.phase === phase && holds(one));
      const any = found < 0 ? all.findIndex(holds) : found;
      walk.pause();
      if (any >= 0) walk.go(any);
      return any >= 0;
    },
    pause() { clearInterval(state.timer); state.timer = null; },
    toggle() {
      if (state.timer) { walk.pause(); show(); return; }
      if (state.index >= last()) state.index = -1;
      state.timer = setInterval(() => {
        if (!drawing.isConnected || state.index >= last()) { walk.pause(); if (drawing.isConnected) show(); }
        else walk.go(state.index + 1);
      }, 700);
      walk.go(state.index + 1);
    },
  };
  return walk;
}

/** The buttons above the tape: what is guarded, what is drawn, how large, and a search. */
function toolbar(state, change, show, walk) {
  const button = (name, act, more = {}) => h("button", { type: "button", class: name, onclick: act, ...more });
  const guard = button("guard", () => { state.careful = !state.careful; show(); });
  const clear = button("clear", () => { state.clear = !state.clear; show(); });
  const fold = button("fold", () => {
    const layers = state.step.graph.nodes.filter((node) => node.inner).map((node) => node.id);
    change(() => { state.open = new Set(state.open.size ? [] : layers); });
  });
  const zoom = (by) => () => { state.scale = clamp(by ? state.scale * by : fitting(), 0.1, 3); show(); };
  const fitting = () => element.parentElement.querySelector(".tapes").clientWidth / visible(state).width;
  const smaller = button("smaller", zoom(0.8), { "aria-label": "smaller" }), larger = button("larger", zoom(1.25), { "aria-label": "larger" });
  const whole = button("whole", zoom(0), { title: "show the whole tape" });
  [smaller.textContent, larger.textContent, whole.textContent] = ["−", "+", "fit"];
  const none = h("span", { class: "quiet small", role: "status" });
  const search = h("input", { type: "search", class: "search", placeholder: "find an op or a layer", "aria-label": "find an op or a layer", onchange: () => {
    const text = search.value.trim().toLowerCase(), has = ({ node }) => `${node.title} ${node.op} ${node.path}`.toLowerCase().includes(text);
    none.textContent = text && !walk.find(has) ? "none is called that" : "";
  } });
  const element = h("div", { class: "row" }, guard, clear, fold, h("span", { class: "row" }, smaller, larger, whole), search, none);
  const paint = () => {
    guard.hidden = !state.step.shielded.length;
    guard.textContent = `${guardOf(state.step)}: ${state.careful ? "on" : "off"}`;
    guard.setAttribute("aria-pressed", String(state.careful));
    clear.textContent = `gradients cleared: ${state.clear ? "yes" : "no"}`;
    clear.setAttribute("aria-pressed", String(state.clear));
    fold.textContent = state.open.size ? "fold all layers" : "unfold all layers";
  };
  return { element, paint };
}

/** The buttons and the slider that move the walk. */
function moveBar(state, walk) {
  const button = (name, text, act) => h("button", { type: "button", class: name, onclick: act }, text);
  const range = h("input", { type: "range", class: "places", min: 0, "aria-label": "place in the step", oninput: () => { walk.pause(); walk.go(Number(range.value)); } });
  const play = button("walk", "", () => walk.toggle()), place = h("span", { class: "number place" });
  const turn = button("turn", "", () => {
    const all = walked(state), { phase } = all[state.index];
    walk.pause();
    walk.go(phase === "forward" ? all.findIndex((one) => one.phase === "backward") : 0);
  });
  const element = h("div", { class: "row moves" }, button("previous", "← previous", () => walk.move(-1)), play, button("next", "next →", () => walk.move(1)), turn, range, place);
  const paint = (all) => {
    const { node, phase } = all[state.index];
    range.max = all.length - 1;
    range.value = state.index;
    range.setAttribute("aria-valuetext", `${phase}, ${node.title}`);
    play.textContent = state.timer ? "❚❚ pause" : "▶ play";
    turn.textContent = phase === "forward" ? "go to backward" : "go to forward";
    place.textContent = `${phase} · ${state.index + 1} of ${all.length}`;
  };
  return { element, paint };
}

/** What to look for in this very step. */
function notesOn(run, step) {
  const parts = new Set(step.graph.nodes.map((node) => node.part)), drawn = parts.has("logvar");
  const judge = run.adversarial ? run.way[0] : null, judged = step.shielded.includes(judge);
  return [
    judged && !isCutOff(step) ? `In ${step.name}'s step the gradient of ${judge}'s verdict runs all the way through ${judge} before it reaches ${step.name}.` : null,
    judged && drawn ? `The encoder's gradient comes through ${judge} as well: images are compared by what ${judge} makes of them on the way, and not by their pixels.` : null,
    drawn && !judged ? "z = mu + e^(logvar/2) · eps: on the way back the gradient splits at z, one way through mu and one through logvar, and the KL term joins them from below." : null,
    parts.has("second tape") ? `The dashed boxes are a second tape: the rules of ${judge ?? "the network"}'s own backward, recorded, because the penalty is on a gradient. The gradient runs back through them, too.${step.graph.nodes.some((node) => node.title === "x̂") ? " (x̂ is a point between a real example and a generated one.)" : ""}` : null,
    step.shielded.length ? `Take the guard off, and keep the gradients, and look at the table: ${step.shielded.join(" and ")} gets a gradient, too, and not that of its own loss.` : null,
  ].filter(Boolean);
}

/** The way of a step: each op forward, and those that a gradient reaches once more, backward. */
function walked(state) {
  const nodes = visible(state).nodes;
  const back = nodes.filter((node) => node.gradient && !offTape(node, state)).reverse();
  return [...nodes.map((node) => ({ node, phase: "forward" })), ...back.map((node) => ({ node, phase: "backward" }))];
}

