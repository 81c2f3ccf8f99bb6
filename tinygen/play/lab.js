// The game itself, without a picture: G turns random numbers into points, D tells them from real ones, both learn.

const BATCH = 64; // real points of a batch, and as many of G's
const SHOWN = 160; // of G's points and of the real ones in the picture: of the same z and offsets all the time
const WITHIN = 3; // standard deviations: a point as close as that to a centre is good
const FIELD = 25; // places along each side of the view where D is asked

const DEFAULTS = {
  data: "ring", loss: "nonsaturating", seed: 0, latent: 2, widthsG: [32, 32], widthsD: [32, 32],
  rateG: 1e-3, rateD: 2e-3, stepsD: 1,
};

class Lab {
  /** settings: as DEFAULTS; rateG, rateD and stepsD may change at any time. meaning: the loss, described by tinygen. */
  constructor(settings, meaning) {
    const stream = new Stream(settings.seed);
    Object.assign(this, { settings, meaning, stream, step: 0, game: GAMES[settings.loss], losses: {}, verdicts: {} });
    this.centres = DATASETS[settings.data].centres();
    this.G = new Network([settings.latent, ...settings.widthsG, 2], stream);
    this.D = new Network([2, ...settings.widthsD, 1], stream);
    this.adamG = new Adam(this.G.parameters);
    this.adamD = new Adam(this.D.parameters);
    this.z = stream.normals(SHOWN, settings.latent);
    this.offsets = stream.normals(SHOWN, 2);
  }

  get ready() { return this.centres.length > 0; }

  get broken() { return Object.values(this.losses).some((loss) => !Number.isFinite(loss)); }

  /** D learns from a batch to tell real points from G's: Goodfellow et al. 2014, algorithm 1. */
  learnD() {
    const x = drawPoints(this.centres, BATCH, this.stream), fake = detach(this.G.forward(this.noise())); // G is fixed
    const r = this.D.forward(x), s = this.D.forward(fake), loss = this.game.D(r, s);
    this.adamD.step(grad(loss, this.D.parameters), this.settings.rateD);
    if (this.game.clip) clipTo(this.D.parameters, this.game.clip);
    this.losses.D = loss.data[0];
    this.verdicts = { real: this.meanVerdict(r), fake: this.meanVerdict(s) };
  }

  /** G learns to pass a batch off as real: the gradient goes through D, which is fixed. */
  learnG() {
    const loss = this.game.G(this.D.forward(this.G.forward(this.noise())));
    this.adamG.step(grad(loss, this.G.parameters), this.settings.rateG);
    this.losses.G = loss.data[0];
    this.step += 1;
  }

  /** D's steps, then G's. */
  learn() {
    this.turnOfD();
    this.learnG();
  }

  turnOfD() {
    for (let i = 0; i < this.settings.stepsD; i++) this.learnD();
  }

  noise() { return this.stream.normals(BATCH, this.settings.latent); }

  /** D's scores as it means them: probabilities, if the loss makes them that. */
  meanVerdict(scores) {
    return mean(this.meaning.probability ? scores.data.map(logistic) : scores.data);
  }

  /** The real points of the picture: each keeps its place beside its centre. */
  real() {
    return map(this.offsets, (offset, i) => {
      const centre = this.centres[Math.floor(i / 2) % this.centres.length];
      return centre ? centre[i % 2 ? "y" : "x"] + centre.spread * offset : NaN;
    });
  }

  /** What there is to see: D's field, G's points with D's scores and pushes, real points with their scores. */
  look() {
    const points = detach(this.G.forward(this.z)), scores = this.D.forward(points), real = this.real();
    const [slopes] = grad(this.game.G(scores), [points]);
    const pushes = map(slopes, (slope) => -slope * SHOWN); // of the loss of each point alone, not of their mean
    return { field: this.field(), points, scores, pushes, real, realScores: this.D.forward(real) };
  }

  /** D's scores on a grid over the view, row by row from below. */
  field() {
    const places = map(new Matrix(FIELD * FIELD, 2), (_, i) => {
      const [row, column] = [Math.floor(i / 2 / FIELD), Math.floor(i / 2) % FIELD];
      return REACH * ((2 * (i % 2 ? row : column)) / (FIELD - 1) - 1);
    });
    return Object.assign(this.D.forward(places).data, { shape: [FIELD, FIELD] });
  }
}

/** Every weight between -limit and limit, so that D can't be steep: Arjovsky et al. 2017, algorithm 1. */
function clipTo(parameters, limit) {
  for (const p of parameters) p.data.forEach((value, i) => { p.data[i] = clamp(value, -limit, limit); });
}

/** { modes: centres with a point of G's near, good: the share of such points, outside: how many are out of view }. */
function countPoints(points, centres) {
  const near = ([x, y], centre) => Math.hypot(x - centre.x, y - centre.y) < WITHIN * centre.spread;
  const all = pairs(points.data);
  return {
    modes: centres.filter((centre) => all.some((point) => near(point, centre))).length,
    good: mean(all.map((point) => Number(centres.some((centre) => near(point, centre))))),
    outside: all.filter(([x, y]) => !(Math.max(Math.abs(x), Math.abs(y)) <= REACH)).length,
  };
}

/** The share of points that D takes for what they are, real and fake alike; undefined if scores only rank them. */
function toldApart({ threshold }, { scores, realScores }) {
  return threshold === null ? undefined : shareRight(threshold, realScores.data, scores.data);
}
