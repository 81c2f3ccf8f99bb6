// What the page says: what there is to see, what happens now, how it goes, and what the chosen loss does.

const CAPTION = "Black dots are points that G makes, green dots are real. The colour behind them is D's verdict on " +
  "that place, and each arrow shows where D's gradient pushes a point of G's.";

/** What to look for; a critic's scores only mean something beside each other. */
function hintsOn({ probability, threshold }) {
  const critic = threshold === null, verdict = probability ? "verdict on" : "score of";
  return [
    critic
      ? "In a good run G's dots gather among the real ones, and D scores both alike. The colours are stretched again " +
        "at each step: orange for the higher scores, blue for the lower ones."
      : "In a good run G's dots gather among the real ones, and D turns white there: it tells 50% apart, no better " +
        "than guessing.",
    "Mode collapse: give G a learning rate of 0.01. Its dots crowd into a place or two, D turns those blue, and the " +
      "dots move on together, round and round.",
    "A D that is too good: ten steps of D for one of G, G's learning rate 0.0001, and start again. " +
      (critic
        ? "D soon scores real points much higher than G's, and the gap closes only slowly."
        : `D soon tells more than 90% apart, and its mean ${verdict} G's points falls.`),
    "Drag real points away when G has learnt them: D notices first, then the arrows turn, then G follows.",
  ];
}

const HOW_TO = {
  move: "Drag the green points: training goes on with them. On a keyboard, Page Up and Page Down choose a centre, " +
    "and the arrow keys move it.",
  own: "Click to add points, and drag them as you like. On a keyboard, Page Up and Page Down choose a centre, the " +
    "arrow keys move it, Enter adds one, and Delete removes it.",
};

const NOW = {
  empty: "There are no data. Click in the plane to add some.",
  broken: "The numbers have grown beyond all bounds. Choose smaller learning rates and start again.",
  D: `D learns from ${BATCH} real points and ${BATCH} of G's to tell them apart a little better: the colours change.`,
  arrows: "Each arrow shows where D would find the point more real: −∂L/∂x, the gradient of G's loss. It is all that " +
    "G learns from.",
  G: "G changes its weights by one small step, so that its points move along the arrows.",
  first: "G's points lie in a heap, and D knows nothing yet. Press play, or let D make the first move.",
  paused: "Paused. Play on, or make a single move with the buttons.",
};

/** A sentence on what happens now. */
function nowText({ lab, phase, playing, speed }) {
  if (!lab.ready) return NOW.empty;
  if (lab.broken) return NOW.broken;
  if (phase) return NOW[phase];
  if (!playing) return lab.step ? NOW.paused : NOW.first;
  return `D judges, its gradient makes the arrows, and G's points follow them: ${SPEEDS[speed]}. ` +
    "In slow motion you see each move.";
}

/** How it goes, as pieces of text with the numbers in bold. */
function numbersText(lab, seen) {
  const { modes, good, outside } = countPoints(seen.points, lab.centres), told = toldApart(lab.meaning, seen);
  const bold = (text) => h("b", { class: "number" }, text);
  const gap = mean(seen.realScores.data) - mean(seen.scores.data);
  const judged = told === undefined
    ? ["D scores real points ", bold(short(Math.abs(gap))), gap < 0 ? " lower than G's. " : " higher than G's. "]
    : ["D tells ", bold(percent(told)), " apart (50% is guessing). "];
  const covered = DATASETS[lab.settings.data].modes
    ? [bold(modes), ` of ${lab.centres.length} modes covered; `, bold(percent(good)), " of G's points are good. "]
    : [];
  return [...judged, ...covered, ...outsideText(outside, seen.points.rows)];
}

const PUSHES = {
  fades: "The surer D is that a point is fake, the weaker it pushes it: a G that is far behind gets almost no signal.",
  grows: "The surer D is that a point is fake, the harder it pushes it.",
  stays: "However fake a point looks to D, the score counts the same: D's slope alone decides how hard it pushes.",
};

/** The formulas of a loss, how hard it pushes as tinygen has measured it, and what else it needs. */
function lossText(loss) {
  const { clip } = GAMES[loss.name], turn = turningPoint(loss);
  const scores = loss.probability ? ", σ(s) the probability that it is real" : "";
  const paragraphs = [
    ["D lowers ", h("code", {}, loss.formula_D), ", G lowers ", h("code", {}, loss.formula),
      `; r is D's score of a real point, s of one of G's${scores}.`],
    [PUSHES[whenFake(loss)], turn === undefined ? "" : ` Above a score of ${short(turn)} the push turns around.`],
    clip && [`After each step, D's weights are clipped to ±${clip}, so that it can't be steep. A penalty on D's ` +
      "slope works better, but it needs the gradient of a gradient, which this page's small tape can't take; ",
      h("code", {}, "tinygen train wgangp"), " can."],
  ];
  return paragraphs.filter(Boolean).map((pieces) => h("p", { class: "small" }, pieces));
}
