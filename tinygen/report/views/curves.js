// Curves: what metrics.jsonl holds, with the events of events.jsonl.

const BESIDE = ["step", "epoch", "seconds", "time", "steps_per_s"]; // what a row says beside its measurements

view({
  id: "curves",
  order: 4,
  title: "Curves",
  caption: "The numbers that the training printed, by step; a dotted line is a step at which tinygen warned.",
  look: (runs) => (runs.some((run) => run.adversarial) ? [
    "In a GAN neither loss has to fall: they play against each other. Look for balance; one that runs off to 0 while the other climbs means that one of them has won.",
    "D(x) and D(G(z)) are D's mean verdicts on real and made images. At 0.5 both it can't tell them apart; far from each other it can.",
  ] : ["The loss falls, quickly first; where it flattens, the model has learnt what it can at this learning rate.", "Its parts may move against each other: what brings one down may raise another."]),
  suits: (run) => Boolean(run.metrics.step?.length),
  make: (body, runs) => beside(body, runs, curves),
});

function curves(panel, run) {
  const names = Object.keys(run.metrics).filter((name) => !BESIDE.includes(name));
  const shares = names.filter((name) => isShare(name, run.metrics[name])), scores = names.filter((name) => name.startsWith("score."));
  const verdicts = names.filter((name) => name.startsWith("D(") && !shares.includes(name));
  const losses = names.filter((name) => ![...shares, ...scores, ...verdicts].includes(name));
  const line = (name) => {
    const known = [...run.metrics[name].keys()].filter((i) => !Number.isNaN(run.metrics[name][i]));
    return scores.includes(name)
      ? { name, x: known.map((i) => run.metrics.step[i]), y: known.map((i) => run.metrics[name][i]) }
      : { name, x: run.metrics.step, y: run.metrics[name] };
  };
  const make = (names, title, caption, more = {}) => (names.length ? [chart({ title, caption, lines: names.map(line), events: run.events, ...more })] : []);
  const charts = [
    ...make(losses, "Losses", "What the networks lower, and the parts of it."),
    ...make(shares, "D's verdicts", "Probabilities and shares: 0 is never, 1 is always.", { low: 0, high: 1 }),
    ...make(verdicts, "D's scores", "D's mean score of real images, D(x), and of made ones, D(G(z)); only their difference means something."),
    ...scores.flatMap((name) => make([name], name.slice(6), "A score of the samples, measured while it trained.", { height: 130 })),
  ];
  panel.append(...charts.map((one) => one.element), eventList(run));
  return (step) => charts.forEach((one) => one.paint(step));
}

function isShare(name, values) {
  return /^(acc|D\()|(acc|accuracy|share)$/.test(name) && values.every((value) => Number.isNaN(value) || (value >= 0 && value <= 1));
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
