// The curves: losses and D's mean verdicts by step. A long history is thinned, so that drawing it stays quick.

const MOST = 400; // values of a curve

class History {
  constructor() { this.rows = []; this.every = 1; }

  /** Remember a lab's numbers after a step. */
  add({ step, losses, verdicts }) {
    if (step % this.every) return;
    this.rows.push([step, losses.D ?? NaN, losses.G ?? NaN, verdicts.real ?? NaN, verdicts.fake ?? NaN]);
    if (this.rows.length < MOST) return;
    this.every *= 2;
    this.rows = this.rows.filter(([one]) => one % this.every === 0);
  }

  column(i) { return this.rows.map((row) => row[i]); }
}

/** Draw the curves of a history into an element, in place of what is there. */
function drawCurves(element, history, probability) {
  const x = history.column(0), line = (name, i) => ({ name, x, y: history.column(i) });
  const charts = [
    chart({ title: "Losses", height: 150, lines: [line("loss_D", 1), line("loss_G", 2)] }),
    chart({
      title: probability ? "D's mean verdict: the probability of real" : "D's mean score",
      height: 150, ...(probability ? { low: 0, high: 1 } : {}),
      lines: [line("D(x), real points", 3), line("D(G(z)), G's", 4)],
    }),
  ];
  element.replaceChildren(...charts.map((one) => one.element));
  for (const one of charts) one.paint(x.at(-1) ?? 0);
}
