// Curves: what metrics.jsonl holds, with the events of events.jsonl.

const AS_D_SAW = " Measured in D's step, before D moves.";

/** By panel: its title, what it shows, and how it is drawn. */
const PANELS = {
  losses: () => ["Losses", "What the networks lower, and the parts of it."],
  shares: (run) => [run.adversarial ? "D's verdicts" : "Shares", `Probabilities and shares: 0 is never, 1 is always.${run.adversarial ? AS_D_SAW : ""}`, { low: 0, high: 1 }],
  scores: (run) => ["D's scores", `D's mean score of real images, D(x), and of made ones, D(G(z)); ${run.threshold === null ? "only their difference means something" : `above ${short(run.threshold)} an image passes for real`}${run.metrics.gap ? ", the gap" : ""}.${AS_D_SAW}`],
  critic: () => ["The critic", "slope, n: how steep it is between real and made images. On average (n−1)n and gap/2λ are equal where the gap and the penalty are in balance: then a steeper critic would lose by the penalty what it wins by the gap."],
};

view({
  id: "curves",
  order: 4,
  title: "Curves",
  caption: "The numbers that the training printed, by step; a dotted line is a step at which tinygen warned.",
  look: (runs) => [
    ...(runs.some((run) => run.adversarial) ? [
      "In a GAN neither loss has to fall: they play against each other. Look for balance; one that runs off to 0 while the other climbs means that one of them has won.",
      `D(x) and D(G(z)) are D's mean verdicts on real and made images: far from each other, D can tell them apart${runs.some((run) => run.recording?.probability) ? "; at one half both, it can't" : ""}.`,
    ] : []),
    ...(runs.some((run) => !run.adversarial) ? ["The loss falls, quickly first; where it flattens, the model has learnt what it can at this learning rate.", "Its parts may move against each other: what brings one down may raise another."] : []),
    "Of a long run the bold line is a running mean; the numbers themselves are pale behind it, and stand below.",
  ],
  suits: (run) => Boolean(run.metrics.step?.length),
  make: (body, runs) => beside(body, runs, curves),
});

function curves(panel, run) {
  const line = (name) => {
    const known = [...run.metrics[name].keys()].filter((i) => !Number.isNaN(run.metrics[name][i]));
    return name.startsWith("score.")
      ? { name, x: known.map((i) => run.metrics.step[i]), y: known.map((i) => run.metrics[name][i]) }
      : { name, x: run.metrics.step, y: run.metrics[name] };
  };
  const charts = Object.entries(run.panels).map(([panel, names]) => {
    const [title, caption, more] = PANELS[panel]?.(run) ?? [panel.slice(6), "A score of the samples, measured while it trained.", { height: 130 }];
    return chart({ title, caption, lines: names.map(line), events: run.events, ...more });
  });
  panel.append(...charts.map((one) => one.element), eventList(run));
  return (step) => charts.forEach((one) => one.paint(step));
}

function eventList(run) {
  if (!run.events.length) return h("p", { class: "quiet" }, "No warning was given in this run.");
  return h("section", { class: "events" }, h("h3", {}, "Warnings"), h("ul", {}, run.events.map((event) => h("li", {},
    h("button", { type: "button", onclick: () => clock.seek(event.step) }, `step ${whole(event.step)}`), " ", eventText(event)))));
}

function eventText({ step, ...said }) {
  const { sign, name = sign, seen, remedy, message } = said;
  if (message ?? name) return [h("strong", {}, message ?? name), seen ? `: ${seen}` : "", remedy ? `. Try: ${remedy}.` : "."];
  return Object.entries(said).map(([key, value]) => `${key}: ${value}`).join("; ");
}
