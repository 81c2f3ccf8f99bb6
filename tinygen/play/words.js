// What the page says: what happens now, how it goes, and what the chosen loss does.

const TURNS = { D: "1 D judges", arrows: "2 the arrows", G: "3 G moves" };

/** A sentence on what happens now. */
function nowText({ lab, phase, playing, speed }) {
  if (!lab.ready) return "There are no data. Click into the plane to add some.";
  if (lab.broken) return "The numbers have grown beyond all bounds. Choose smaller learning rates and start again.";
  if (phase === "D") return `D has learnt from ${BATCH} real points and ${BATCH} of G's to tell them apart a little better: the colours change.`;
  if (phase === "arrows") return "Each arrow shows where D would find the point more real: −∂L/∂x, the gradient of G's loss. It is all that G learns from.";
  if (phase === "G") return "G changes its weights by one small step, so that its points move along the arrows.";
  if (playing) return `D judges, its gradient makes the arrows, and G's points follow them: ${SPEEDS[speed]}. In slow motion you see each move.`;
  return lab.step ? "Paused. Play on, or make a single move with the buttons." : "G's points lie in a heap, and D knows nothing yet. Press play, or let D make the first move.";
}

/** How it goes, as pieces of text with the numbers in bold. */
function numbersText(lab, seen) {
  const { modes, good, outside } = countPoints(seen.points, lab.centres), told = toldApart(lab.meaning, seen);
  const bold = (text, id) => h("b", { class: "number", id }, text);
  const apart = told === undefined
    ? ["D scores real points ", bold(short(mean(seen.realScores.data) - mean(seen.scores.data)), "told"), " higher than G's. "]
    : ["D tells ", bold(percent(told), "told"), " apart (50% is guessing). "];
  const covered = DATASETS[lab.settings.data].modes
    ? [bold(String(modes), "modes"), ` of ${lab.centres.length} modes covered; `, bold(percent(good), "good"), " of G's points are good. "] : [];
  return [...apart, ...covered, bold(String(outside), "outside"), ` of ${seen.points.rows} points ${outside === 1 ? "is" : "are"} out of view.`];
}

const PUSHES = {
  fades: "The surer D is that a point is fake, the weaker it pushes it: a G that is far behind gets almost no signal.",
  grows: "The surer D is that a point is fake, the harder it pushes it.",
  stays: "However fake a point looks to D, the score counts the same: D's slope alone decides how hard it pushes.",
};

/** The formulas of a loss and how hard it pushes, as tinygen has measured it. */
function lossText(loss) {
  const { clip } = GAMES[loss.name];
  return [
    h("p", { class: "small" }, "D lowers ", h("code", {}, loss.formula_D), ", G lowers ", h("code", {}, loss.formula),
      `; r is D's score of a real point, s of one of G's${loss.probability ? ", σ(s) the probability of real" : ""}.`),
    h("p", { class: "small" }, PUSHES[whenFake(loss)], turningPoint(loss) === undefined ? "" : ` Above ${short(turningPoint(loss))} the push turns around.`),
    clip ? h("p", { class: "small" }, `After each step, D's weights are clipped to ±${clip}, so that it can't be steep. The usual remedy is better, a penalty on D's slope, but it needs the gradient of a gradient, which this page's small tape can't take; `, h("code", {}, "tinygen train wgangp"), " can.") : null,
  ].filter(Boolean);
}
