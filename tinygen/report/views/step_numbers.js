// The choice of the number that is followed back from the loss: a pixel in its picture, a weight by row and column.

const PICTURE_AXES = ["row", "column", "channel"], MATRIX_AXES = ["row", "column"], POINT_AXES = ["example", "coordinate"];

const HOW_FOLLOWED = "Dots mark the ops on its way. At each of them, backward, the panel multiplies what arrives by the local derivative. Of a number that reaches the loss by many ways, the strongest is shown.";

/** What a number is called that can be followed. */
function numberName({ title, index, shape }) {
  return isPixel({ title, shape }) ? `pixel ${placeIn(index.slice(1, shape[3] > 1 ? 4 : 3))} of the first G(z)` : `${title}${placeIn(index)}`;
}

function isPixel({ title, shape }) {
  return title === "G(z)" && shape.length === 4;
}

/** The axes along which a number may be chosen: { axis, name, length }. */
function axesOf({ title, shape, kept }) {
  const names = isPixel({ title, shape }) ? ["example", ...PICTURE_AXES] : shape.length !== 2 ? MATRIX_AXES : title === "G(z)" ? POINT_AXES : MATRIX_AXES;
  return shape.map((length, axis) => ({ axis, name: names[axis] ?? `axis ${axis + 1}`, length })).filter(({ axis, length }) => length > 1 && (axis > 0 || kept === "all"));
}

/** Buttons for what can be followed, and below them a way to choose another number of it: { element, paint }. */
function numberChooser(state, walk, show) {
  const element = h("div", { class: "choose" });
  let shownStep = null, buttons, pickers;
  const build = () => {
    const { graph } = shownStep = state.step, ways = new Ways(graph), chosen = [...graph.numbers];
    const take = (i, followed) => { chosen[i] = followed; walk.pause(); state.followed = followed; show(); };
    buttons = choice(Object.fromEntries(chosen.map((one, i) => [i, numberName(one)])), "0", (i) => take(i, chosen[i]), "number to follow");
    buttons.prepend(h("span", {}, "Follow one number back:"));
    pickers = graph.numbers.map((one, i) => numberPicker(one, graph, (index) => {
      take(i, { ...one, index, hops: ways.hops(one, index) });
      announce(`${numberName(state.followed)}: ${gradientText(state.followed)}`);
    }, () => take(i, one)));
    element.replaceChildren(buttons, ...pickers.map((picker) => picker.element));
  };
  const paint = () => {
    element.hidden = !state.step.graph.numbers.length;
    if (element.hidden) return;
    if (shownStep !== state.step) build();
    const own = state.step.graph.numbers.findIndex((one) => one.node === state.followed.node && one.title === state.followed.title);
    buttons.querySelectorAll("button")[own].textContent = numberName(state.followed);
    pickers.forEach((picker, i) => {
      picker.element.hidden = i !== own;
      if (i === own) picker.paint(state.followed);
    });
  };
  return { element, paint };
}

/** The gradient of a followed number, in words. */
function gradientText({ hops }) {
  return hops.length ? `gradient ${short(hops.at(-1).total)}` : "no gradient reaches it";
}

/** The means to choose a number of one array: its picture if it has one, a field for each axis, and the largest again. */
function numberPicker(target, graph, choose, back) {
  const { title, kept, index: largest } = target, count = target.shape.reduce((all, length) => all * length, 1);
  if (!kept) {
    return {
      element: h("div", { class: "chosen" }, h("p", { class: "small" }, `Of ${title} this page keeps the way of one number alone, the one with the largest gradient: those of all ${whole(count)} would take too much room.`), h("p", { class: "quiet small" }, HOW_FOLLOWED)),
      paint: () => {},
    };
  }
  let index = largest;
  const change = (axis, place) => choose(index.map((old, one) => (one === axis ? place : old)));
  const fields = axesOf(target).map(({ axis, name, length }) => {
    const input = h("input", { type: "number", min: 0, max: length - 1, "data-axis": axis, onchange: () => change(axis, clamp(Math.round(Number(input.value)) || 0, 0, length - 1)) });
    return { axis, input, element: h("label", { class: "field" }, `${name}, 0 to ${length - 1}`, input) };
  });
  const picture = isPixel(target) ? pixelPicker(target, graph, choose) : null;
  const text = h("p", { class: "small picked" }), again = h("button", { type: "button", class: "largest", onclick: back }, "the largest gradient");
  const what = kept === "first" ? `Any ${picture ? "pixel of the first image" : "number of the first example"} can be chosen; the ways of the others are not kept. ` : "Any of its numbers can be chosen. ";
  const how = h("div", {}, h("p", { class: "quiet small" }, what, "They are kept to three digits."), h("div", { class: "row" }, fields.map((field) => field.element), again));
  const open = !matchMedia("(max-width: 760px)").matches; // a phone has the panel on the op in sight
  return {
    element: h("div", { class: "chosen" },
      h("details", { open }, h("summary", {}, `Choose another ${picture ? "pixel" : "number"}`), h("div", { class: "picker" }, picture?.element, how)),
      text, h("p", { class: "quiet small" }, HOW_FOLLOWED)),
    paint: (followed) => {
      ({ index } = followed);
      for (const { axis, input } of fields) input.value = index[axis];
      picture?.paint(followed);
      text.replaceChildren(...(followed.hops.length
        ? ["Its gradient, all ways together: ", h("b", { class: "number" }, short(followed.hops.at(-1).total)), "."]
        : ["No gradient reaches it: on each of its ways some derivative is 0."]));
    },
  };
}

/** A picture of the first image on which a pixel is chosen by a click, a finger or the arrow keys. */
function pixelPicker({ node, shape: [, height, width] }, graph, choose) {
  const box = graph.nodes.flatMap((one) => [one, ...(one.inner?.nodes ?? [])]).find((one) => one.id === node && one.value?.picture);
  if (!box) return null;
  const canvas = pixelCanvas(box.value.picture.shape, "the gradient of the first image"), marker = h("i", { class: "marker" });
  const image = decode(box.value.picture), [rows, columns, channels] = image.shape, low = -greatest(image, (value) => -value), span = greatest(image) - low || 1;
  let index;
  const go = (row, column) => choose([0, clamp(row, 0, height - 1), clamp(column, 0, width - 1), index[3]]);
  const point = (event) => {
    const sparse = [height / rows, width / columns].map(Math.ceil), { left, top, width: wide, height: high } = canvas.getBoundingClientRect();
    const next = [clamp(Math.floor(((event.clientY - top) / high) * rows), 0, rows - 1) * sparse[0], clamp(Math.floor(((event.clientX - left) / wide) * columns), 0, columns - 1) * sparse[1]];
    if (next[0] !== index[1] || next[1] !== index[2]) go(...next);
  };
  canvas.onpointerdown = point;
  canvas.onpointermove = (event) => { if (event.buttons) point(event); };
  canvas.onkeydown = (event) => {
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
    if (down === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // else it would walk over the tape
    go(index[1] + down, index[2] + right);
  };
  for (const [name, value] of Object.entries({ role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": height * width - 1 })) canvas.setAttribute(name, value);
  drawPush(canvas, Uint8Array.from(image, (value) => ((value - low) / span) * 255), decode(box.gradient.picture), channels, 127);
  return {
    element: h("figure", {}, h("div", { class: "pixels-to-choose" }, canvas, marker), h("figcaption", { class: "quiet" }, "Click a pixel, or move with the arrow keys. Orange: its gradient is above 0; blue: below.")),
    paint: (followed) => {
      ({ index } = followed);
      canvas.setAttribute("aria-valuenow", index[1] * width + index[2]);
      canvas.setAttribute("aria-valuetext", `row ${index[1]}, column ${index[2]}: ${gradientText(followed)}`);
      Object.assign(marker.style, { top: `${(100 * index[1]) / height}%`, left: `${(100 * index[2]) / width}%`, width: `${100 / width}%`, height: `${100 / height}%` });
    },
  };
}
