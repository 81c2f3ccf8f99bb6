// What starts the page: its header, its tabs, its keys.

function header(runs) {
  return [
    h("div", { class: "top" },
      h("div", {}, h("h1", {}, runs.map((run) => run.name).join(" and ")), runs.map((run) => h("p", { class: "quiet" }, sentence(run)))),
      themeSwitch()),
    h("details", {}, h("summary", {}, "How to read this page"),
      h("p", {}, "Everything here was measured in this run while it trained; nothing is an illustration of how it might be. Choose a view with the buttons above the picture. The bar at the bottom is time: drag it, or press ← and →, and every picture shows that training step; space plays it like a film. Click a chart to go to that step."),
      runs.some((run) => run.adversarial) ? h("p", {}, `Two networks play a game. G, the generator, makes an example ${madeOf(runs)}. D, the discriminator, gives an example a score: high if it looks real. D learns to tell real from generated; G learns from D's gradient alone, which says of each number in the example whether more or less of it would look more real. Whether G can learn is decided by that gradient, so most views show it.`) : null,
      h("p", {}, "The length of a gradient is the square root of the sum of its squares.", runs.some((run) => run.judgesByProbability) ? " A probability is σ(s) = 1 / (1 + e^−s) of a score s." : "")),
    h("details", {}, h("summary", {}, "What was trained"), runs.map(facts)),
  ].filter(Boolean);
}

/** What G makes its examples of. */
function madeOf(runs) {
  const games = runs.filter((run) => run.adversarial), restoring = games.filter((run) => run.restores).length;
  return [restoring < games.length ? "of random numbers z" : null, restoring ? "of what is left of an image" : null].filter(Boolean).join(" or ");
}

/** What the page can't show of each run, why, and what to do about it. */
function notShown(runs) {
  const title = (view) => VIEWS.find((one) => one.id === view)?.title ?? view;
  const reasons = ({ missing }) => [...new Set(missing.map(({ why }) => why))]; // one may be that of several views
  const titles = ({ missing }, reason) => missing.filter(({ why }) => why === reason).map(({ view }) => title(view)).join(", ");
  const lists = runs.filter((run) => run.missing.length).flatMap((run) => [
    runs.length > 1 ? h("h3", {}, run.name) : null,
    h("ul", {}, reasons(run).map((why) => h("li", {}, h("strong", {}, titles(run, why)), ": ", withCode(why)))),
  ]);
  return lists.length ? [h("h2", {}, "Not shown"), h("div", { class: "quiet small" }, lists.filter(Boolean))] : [];
}

function sentence(run) {
  const { data, data_b: other, batch } = run.settings;
  const parts = [run.about || run.model, data ? `data: ${data}${other ? ` and ${other}` : ""}` : null, `${whole(run.reached)} of ${whole(run.steps)} steps`, batch ? `batch ${batch}` : null];
  return parts.filter(Boolean).map((part, i) => (i ? part.replaceAll(" ", "\u00a0") : part)).join(" · ");
}

function facts(run) {
  const rows = (values, marked = []) => Object.entries(values).filter(([, value]) => value !== null).map(([key, value]) =>
    h("tr", {}, h("td", {}, key), h("td", {}, h(marked.includes(key) ? "strong" : "span", {}, Array.isArray(value) ? value.join(" × ") : String(value)))));
  return h("div", {},
    h("h2", {}, run.name), h("p", { class: "quiet small" }, "Bold: not the model's default."),
    scrolling("its settings", h("table", {}, rows({ model: run.model, ...run.config }, run.changed), rows(run.settings))),
    networks(run));
}

function networks(run) {
  const layers = run.recording?.layers ?? [];
  return [...new Set(layers.map((layer) => layer.network))].flatMap((network) => [
    h("h3", {}, network),
    scrolling(`the layers of ${network}`, h("table", {}, layers.filter((layer) => layer.network === network).map((layer) =>
      h("tr", {}, h("td", {}, layer.name), h("td", {}, layer.title), h("td", { class: "number" }, layer.shape.join(" × "))))))]);
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const runs = data.runs.map((run) => new Run(run));
  startTheme();
  startClock(runs);
  document.getElementById("head").append(...header(runs));
  const missing = document.getElementById("missing");
  missing.append(...notShown(runs));
  missing.hidden = !missing.hasChildNodes();
  const views = VIEWS.filter((one) => runs.some((run) => one.suits(run))).sort((a, b) => a.order - b.order);
  const named = () => views.find((one) => `#${one.id}` === location.hash);
  const open = (one) => {
    if (named() !== one) history.pushState(null, "", `#${one.id}`); // Back undoes it
    showView(one, runs);
  };
  document.getElementById("tabs").append(...views.map((one, i) => h("button", {
    type: "button", "data-view": one.id, title: `key ${i + 1}`, onclick: () => open(one),
  }, one.title)));
  document.addEventListener("keydown", (event) => {
    const chosen = views[Number(event.key) - 1];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (shown?.view.key?.(event) || clockKey(event)) event.preventDefault();
    else if (chosen && !event.target.matches("input:not([type=range])")) open(chosen);
  });
  document.addEventListener("click", (event) => event.detail && event.target.closest("button")?.blur()); // space is to play
  clock.listeners.push(repaint);
  addEventListener("resize", repaint);
  addEventListener("popstate", () => showView(named() ?? views[0], runs));
  if (views.length) showView(named() ?? views[0], runs);
  clock.show(clock.index);
}

start();
