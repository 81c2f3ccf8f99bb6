// The parts of the page and where they stand.

function makeParts() {
  const canvas = planeCanvas("D's field, the real points, G's points and their arrows; the data can be moved");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  return {
    canvas, key: h("div"), howTo: h("p", { class: "quiet small", id: "how" }), loss: h("div", { id: "about-loss" }),
    turns: h("ol", { class: "turns" }, Object.entries(TURNS).map(([phase, text]) => h("li", { "data-phase": phase }, text))),
    now: h("p", { id: "now" }), numbers: h("p", { class: "counts", id: "numbers" }), curves: h("div", { class: "beside" }),
    moves: h("div", { class: "row moves", role: "group", "aria-label": "moves" }), data: h("div", { class: "row" }),
    arrows: h("div"), settings: h("div", { class: "settings" }), clear: h("button", { type: "button", id: "clear" }, "remove all points"),
    play: h("button", { type: "button", class: "play" }), step: h("span", { class: "where number", id: "step" }),
    status: h("p", { class: "unseen", id: "status", role: "status" }),
  };
}

function layout(part) {
  return [
    h("h2", {}, "The game in the plane"),
    h("p", {}, "Black dots are points that G makes, green dots are real. The colour behind them is D's verdict on that place, and each arrow shows where D's gradient pushes a point of G's."),
    h("section", { class: "panel plot live" },
      h("div", {}, part.canvas, part.key, part.howTo),
      h("div", {}, part.turns, part.now, part.moves, part.numbers, part.data, part.loss, part.arrows,
        h("details", {}, h("summary", {}, "Learning rates and networks"), part.settings))),
    part.curves,
    h("aside", { class: "hints" }, h("strong", {}, "What to look for"), h("ul", {}, HINTS.map((hint) => h("li", {}, hint)))),
    part.status,
  ];
}

const HINTS = [
  "In a good run G's dots gather among the real ones, and D turns white there: it tells 50% apart, no better than guessing.",
  "Mode collapse: the dots crowd into one place, D turns it blue, and they move on together. It may help to raise D's learning rate or its steps.",
  "Vanishing gradient: choose the minimax loss, ten steps of D for one of G, and start again. D wins, the arrows all but vanish, and G stands still.",
  "Drag real points away when G has learnt them: D notices first, then the arrows turn, then G follows.",
];
