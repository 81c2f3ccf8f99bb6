// Curves: what metrics.jsonl holds, with the events of events.jsonl.

const AS_D_SAW = " Measured in D's step, before D moves.";

/** By panel: its title, what it shows, and how it is drawn. */
const PANELS = {
  losses: () => ["Losses", "What each network lowers, and its parts."],
  shares: (run) => [run.adversarial ? "D's verdicts" : "Shares", `${run.judgesByProbability ? "Probabilities and shares" : "Shares"}: 0 is never, 1 is always.${run.adversarial ? AS_D_SAW : ""}`, { low: 0, high: 1 }],
  scores: (run) => ["D's scores", `D's mean score of real examples, D(x), and of generated ones, D(G(z)); ${run.threshold === null ? "only the difference between them, the gap, means anything" : `above ${short(run.threshold)} an example passes for real`}.${AS_D_SAW}`],
  critic: () => ["The critic", "slope, n: how steep the critic is between real and generated examples. (n−1)n and gap/2λ are equal, on average, where the gap and the penalty balance: a steeper critic would then lose to the penalty what it gains in the gap."],
};

view({
  id: "curves",
  order: 4,
  title: "Curves",
  caption: "The numbers that were logged in training, by step. A dotted line marks a step at which tinygen gave a warning.",
  hints: (runs) => [
    ...(runs.some(hasPlayers) ? [
      "In a GAN neither loss has to fall: D and G play against each other. Look for balance: where one loss runs off to 0 while the other climbs, one network has won.",
    ] : []),
    ...(runs.some((run) => run.metrics["D(x)"]) ? [
      `D(x) and D(G(z)) are D's mean verdicts on real and generated examples: where they are far apart, D can tell one kind from the other${runs.some((run) => run.judgesByProbability) ? "; where both are one half, it can't" : ""}.`,
    ] : []),
    ...(!runs.every(hasPlayers) ? ["The loss falls, quickly at first; where it flattens, the model has learnt what it can at this learning rate.", "Its parts may move against each other: what brings one down may raise another."] : []),
    "In a long run the bold line is a running mean. The pale line behind it is the numbers themselves; below the chart are those at this step.",
  ],
  suits: (run) => Boolean(run.metrics.step?.length),
  make: (body, runs) => beside(body, runs, curves),
});

/** Whether several networks learn, each from a loss of its own. */
function hasPlayers(run) {
  return run.adversarial || Object.keys(run.metrics).filter((name) => name.startsWith("loss_")).length > 1;
}

function curves(panel, run) {
  const line = (name) => {
    const known = [...run.metrics[name].keys()].filter((i) => !Number.isNaN(run.metrics[name][i]));
    return name.startsWith("score.")
      ? { name, x: known.map((i) => run.metrics.step[i]), y: known.map((i) => run.metrics[name][i]) }
      : { name, x: run.metrics.step, y: run.metrics[name] };
  };
  const charts = Object.entries(run.panels).map(([panel, names]) => {
    const [title, caption, more] = PANELS[panel]?.(run) ?? [panel.slice(6), "A score of the samples, measured during training.", { height: 130 }];
    return chart({ title, caption, lines: names.map(line), events: run.events, ...more });
  });
  panel.append(...charts.map((one) => one.element), eventList(run));
  return (step) => charts.forEach((one) => one.paint(step));
}

function eventList(run) {
  if (!run.events.length) return h("p", { class: "quiet" }, "This run gave no warnings.");
  return h("section", { class: "events" }, h("h3", {}, "Warnings"), h("ul", {}, run.events.map((event) => h("li", {},
    h("button", { type: "button", onclick: () => clock.seek(event.step) }, `step ${whole(event.step)}`), " ", eventText(event)))));
}

function eventText({ step, ...event }) {
  const { sign, name = sign, seen, evidence = seen, remedy, message } = event; // sign and seen: of earlier versions
  if (message ?? name) return [h("strong", {}, message ?? name), evidence ? `: ${evidence}` : "", remedy ? `. Try: ${remedy}.` : "."];
  return Object.entries(event).map(([key, value]) => `${key}: ${value}`).join("; ");
}
