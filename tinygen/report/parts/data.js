// The data of the page: arrays decoded from base64, and runs.

const ARRAYS = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, float16: Uint16Array, float32: Float32Array, float64: Float64Array };

/** An embedded array as a typed array, with its `shape`. */
function decode({ dtype, shape, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const array = new ARRAYS[dtype](bytes.buffer);
  return Object.assign(dtype === "float16" ? Float32Array.from(array, halfAsNumber) : array, { shape });
}

/** The number that the bits of a float16 are. */
function halfAsNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

/** The part of an array at one or more leading indices, as a view of the same memory. */
function at(array, ...indices) {
  let size = array.length, start = 0;
  indices.forEach((index, axis) => {
    size /= array.shape[axis];
    start += index * size;
  });
  return Object.assign(array.subarray(start, start + size), { shape: array.shape.slice(indices.length) });
}

class Run {
  constructor(data) {
    Object.assign(this, data);
    this.metrics = Object.fromEntries(Object.entries(data.metrics).map(([name, column]) => [name, decode(column)]));
    this.losses = Object.fromEntries(Object.entries(data.losses).map(([name, loss]) => [name, { ...loss, slope: decode(loss.slope) }]));
    this.decoded = new Map();
  }

  /** Whether the recording holds all of these arrays. */
  has(...names) {
    return names.every((name) => this.recording?.arrays[name] !== undefined);
  }

  array(name) {
    if (!this.decoded.has(name)) this.decoded.set(name, decode(this.recording.arrays[name]));
    return this.decoded.get(name);
  }

  names() {
    return Object.keys(this.recording?.arrays ?? {});
  }

  /** The steps for which the page has something to show, in order. */
  get recorded() {
    if (this.has("step")) return [...this.array("step")];
    return Object.keys(this.pictures).map(Number);
  }

  /** The index of the last recorded step that is not after `step`. */
  frame(step) {
    return Math.max(0, this.recorded.findLastIndex((one) => one <= step));
  }

  /** Height, width and channels of an image; null for points. */
  get image() {
    const made = ["samples", "reconstructions"].find((name) => this.has(name)); // one that restores images makes no samples
    const shape = made && this.recording.value_range ? this.array(made).shape.slice(2) : [];
    return shape.length === 3 ? shape : null;
  }

  /** What its examples are called: "images" or "points". */
  get things() {
    return this.image ? "images" : "points";
  }

  /** Whether it makes images from what is left of them, not from random numbers. */
  get restores() {
    return this.has("plain");
  }

  /** The name of the loss that this run trained with. */
  get loss() {
    return this.recording?.loss ?? this.config.loss;
  }

  /** Its description, if two networks play against each other and it was recorded. */
  get game() {
    return this.losses[this.loss];
  }

  /** Whether D's verdicts are probabilities. */
  get judgesByProbability() {
    return Boolean(this.recording?.probability ?? this.game?.probability);
  }

  /** What one of its examples is. */
  get example() {
    return this.image ? "image" : this.config.data_shape?.length === 1 && this.config.data_shape[0] === 2 ? "point" : "example";
  }

  /** Whether two networks play against each other. */
  get adversarial() {
    return this.game !== undefined || this.recording?.loss != null;
  }

  /** The networks in the order in which the gradient passes them: that of the followed step, or of their usual names. */
  get way() {
    const followed = this.follow?.steps.at(-1).graph.nodes.map((node) => node.network) ?? [];
    const recorded = (this.recording?.layers ?? []).map((layer) => layer.network);
    const usual = ["D", "G", "decoder"].filter((name) => recorded.includes(name));
    return [...new Set([...followed.reverse(), ...usual, ...recorded.reverse()])].filter(Boolean);
  }

  /** The colour of a network, the same in all views: that of the judge in a game is orange. */
  hue(network) {
    const hues = this.adversarial ? ["--c2", "--c1", "--c3", "--c5"] : ["--c1", "--c3", "--c5", "--c2"];
    return hues[Math.max(0, this.way.indexOf(network)) % hues.length];
  }

  /** The score above which D says real; null if its scores only compare. */
  get threshold() {
    return this.recording?.threshold ?? null;
  }

  /** The recorded layers that have values of a quantity, as [{ network, name, title, shape, values }]. */
  layers(quantity) {
    if (!this.has(quantity)) return [];
    const table = this.array(quantity), layers = this.recording.layers;
    return layers
      .map((layer, i) => ({ ...layer, values: this.recorded.map((_, frame) => table[frame * layers.length + i]) }))
      .filter((layer) => layer.values.some((value) => !Number.isNaN(value)));
  }
}
