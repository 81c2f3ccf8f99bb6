// The register of views. A file in views/ calls view({...}) once; the page shows those that suit the runs.

const VIEWS = [];

/**
 * id, order, title   of its tab
 * caption, hints     one sentence in plain words; what to look for, a list; or a function of the runs that gives it
 * suits(run)         whether the run has what the view shows
 * make(body, runs)   builds it into an element for one run or two, and returns paint(step), which draws it; paint is
 *                    called again for another step, theme or width
 * timeless           true if it is the same at every training step
 * key(event)         takes a key before the scrubber does; returns true if it was for the view (optional)
 */
function view(description) {
  VIEWS.push(description);
}

let shown = null; // the view on the page: { view, paint }

function repaint() {
  shown?.paint(clock.step);
}

/** One panel for each run, side by side where there is room; make(panel, run) returns a paint(step). */
function beside(body, runs, make) {
  const steps = runs.map(() => h("span", { class: "quiet" }));
  const panels = runs.map((run, i) => h("section", { class: "panel" }, runs.length > 1 ? h("h3", {}, run.name, steps[i]) : null));
  body.append(h("div", { class: runs.length > 1 ? "beside pair" : "beside" }, panels));
  const paints = panels.map((panel, i) => make(panel, runs[i]));
  return (step) => paints.forEach((paint, i) => {
    const own = runs[i].recorded[runs[i].frame(step)];
    steps[i].textContent = own === step ? "" : ` at its step ${whole(own ?? 0)}`;
    paint(step);
  });
}

function showView(chosen, runs) {
  const body = h("div", {}), main = document.getElementById("view");
  const suiting = runs.filter((run) => chosen.suits(run));
  const given = (value) => (typeof value === "function" ? value(suiting) : value);
  main.replaceChildren(
    h("h2", {}, chosen.title),
    h("p", {}, given(chosen.caption)),
    body,
    h("section", { class: "hints" }, h("h3", {}, "What to look for"), h("ul", {}, given(chosen.hints).map((one) => h("li", {}, one)))),
  );
  shown = { view: chosen, paint: chosen.make(body, suiting) };
  for (const tab of document.querySelectorAll("#tabs button")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.view === chosen.id));
    if (tab.dataset.view === chosen.id) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 40; // on a phone
  }
  document.getElementById("time").hidden = Boolean(chosen.timeless) || clock.steps.length < 2;
  repaint();
}
