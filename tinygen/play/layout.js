// The parts of the page and where they stand.

/** The elements that change while it plays. */
function makeParts() {
  const canvas = planeCanvas("D's field, the real points, G's points and their arrows; the data can be moved");
  for (const [name, value] of Object.entries({ tabindex: 0, role: "application", "aria-describedby": "how" })) {
    canvas.setAttribute(name, value);
  }
  const turns = Object.entries(TURNS).map(([phase, text]) => h("li", { "data-phase": phase }, text));
  return {
    canvas,
    key: h("div"),
    howTo: h("p", { class: "quiet small", id: "how" }),
    turns: h("ol", { class: "turns" }, turns),
    now: h("p", { id: "now" }),
    moves: h("div", { class: "row moves", role: "group", "aria-label": "moves" }),
    numbers: h("p", { class: "counts", id: "numbers" }),
    choices: h("div", { class: "row" }),
    loss: h("div"),
    arrows: h("div"),
    settings: h("div", { class: "settings" }),
    hints: h("ul"),
    curves: h("div", { class: "beside" }),
    step: h("span", { class: "where number", id: "step" }),
    status: document.getElementById("status"),
  };
}

function header() {
  const about = "G turns random numbers into points, D tells them from real ones, and both learn on this page.";
  return h("div", { class: "top" },
    h("div", {}, h("h1", {}, "A GAN learns, live"), h("p", { class: "quiet" }, about)),
    themeSwitch());
}

function layout(part) {
  return [
    h("h2", {}, "The game in the plane"),
    h("p", {}, CAPTION),
    h("section", { class: "panel plot live" },
      h("div", {}, part.canvas, part.key),
      h("div", {},
        part.turns, part.now, part.moves, part.numbers, part.choices, part.howTo, part.loss, part.arrows,
        h("details", {}, h("summary", {}, "Learning rates and networks"), part.settings))),
    part.curves,
    h("section", { class: "hints" },
      h("h3", {}, "What to look for"), part.hints),
  ];
}
