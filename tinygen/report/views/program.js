// The program: a training step as the instructions of a compiled program, and the memory that they share.

const WORK = { // by kind of instruction: its colour, and what it is in plain words
  product: ["--c1", "a product of matrices"],
  convolution: ["--c2", "a convolution, or one of its gradients"],
  loop: ["--c3", "a loop over all elements"],
  sum: ["--c4", "a loop that leaves nothing but sums"],
  draw: ["--c6", "a draw of random numbers"],
  copy: ["--c5", "elements moved or filled in"],
  number: ["--quiet", "a number that Python computes in each step"],
};
const LANE = 17, GUTTER = 108, MEMORY = 210; // pixels
const machines = []; // the programs on the page, through which the keys move

view({
  id: "program",
  order: 6,
  title: "Program",
  timeless: true,
  caption: (runs) => withCode(`What the machine really does: this run's training step as \`tg.compile\` runs it, for ${runs.length > 1 ? "batches of its size" : `a batch of ${whole(runs[0].program.batch)}`}. A block is one instruction, and time runs from left to right, though not to scale: each has the same width. Below, a rectangle is an array: as long as it is needed, as high as it is large. All of this is counted from the program; nothing here was timed.`),
  hints: (runs) => [
    "Press → and ← to go through the instructions, or click a block, a rectangle or a row. A row of several operations opens and shows its members: what they hand to each other gets no array of its own.",
    ...(runs.some((run) => run.program.spans.length > 9) ? ["Look for the rectangles that stay long: what the forward pass made and the backward pass reads again. Short ones use the same addresses, one after the other."] : []),
    ...(runs.every((run) => isEmptyBetweenSteps(run.program)) ? ["Between the steps the memory is nearly empty: one step hands hardly anything to the next but the weights, which lie elsewhere."] : []),
    ...(runs.every((run) => !run.program.copied) ? ["The new value of a weight, or of an optimiser's moment, is written over the old one, so it takes no memory here."] : []),
  ],
  suits: (run) => Boolean(run.program),
  make: (body, runs) => {
    machines.length = 0;
    return beside(body, runs, programPanel);
  },
  key: (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input, summary")) return false;
    const moves = { ArrowRight: (one) => one.move(1), ArrowLeft: (one) => one.move(-1), Home: (one) => one.go(0), End: (one) => one.go(Infinity) };
    const act = moves[event.key];
    if (!act) return false;
    machines.forEach(act);
    return true;
  },
});

/** Whether there are several steps, and of what the batch leaves free less than a twentieth is in use where one ends. */
function isEmptyBetweenSteps({ sections, spans, room }) {
  const starts = sections.filter(({ step }, i) => i && step > 0 && step !== sections[i - 1].step).map(({ first }) => first);
  const inUse = (i) => spans.filter(([, first, last]) => first < i && i <= last).reduce((sum, [, , , , size]) => sum + size, 0);
  return starts.length > 0 && starts.every((i) => inUse(i) < room / 20);
}

function sized(bytes) {
  const power = bytes >= 1e9 ? 3 : bytes >= 1e6 ? 2 : bytes >= 1e3 ? 1 : 0;
  return `${short(bytes / 1000 ** power)} ${["B", "kB", "MB", "GB"][power]}`;
}

/** A large number in words: "1.2 billion". */
function inWords(value) {
  const [size, name] = [[1e9, " billion"], [1e6, " million"], [1e3, " thousand"]].find(([one]) => value >= one) ?? [1, ""];
  return `${short(value / size)}${name}`;
}

function programPanel(panel, run) {
  const { program } = run, { instructions } = program;
  const state = { index: 0, open: new Set(), span: null };
  const slider = { class: "strip", role: "slider", tabindex: 0, "aria-valuemin": 1, "aria-valuemax": instructions.length };
  const lanes = h("canvas", { ...slider, "aria-label": `${instructions.length} instructions in order, by kind: ${kindsOf(program).map((kind) => `${countOf(program, kind)} ${kind}`).join(", ")}. The list below has each of them as text.` });
  const memory = h("canvas", { ...slider, "aria-label": `memory by time: ${program.spans.length} arrays share ${sized(program.room)}. The panel of each instruction says where its arrays lie.` });
  const under = h("p", { class: "number small under" }), place = h("span", { class: "number place" });
  const about = h("div", { class: "about" }), list = programList(program, state, (i) => machine.go(i, true));
  panel.append(
    h("p", { class: "tally" }, tally(program)),
    h("div", {}, lanes, memory), under,
    h("p", { class: "quiet small" }, "Grey in the memory: the batch. Darker: where a loop writes over what it reads for the last time. Outlined: what the chosen instruction makes; dashed: what it reads."),
    h("div", { class: "row moves" },
      h("button", { type: "button", class: "previous", onclick: () => machine.move(-1) }, "← previous"),
      h("button", { type: "button", class: "next", onclick: () => machine.move(1) }, "next →"), place),
    h("div", { class: "machine" }, list.element, about),
    h("div", { class: "gains" }, passTable(program), memoryBars(program)),
  );

  const machine = {
    move(by) { machine.go(state.index + by); if (!onSlider()) announce(rowText(instructions[state.index], state.index)); },
    go(index, toggle = false, span = null) {
      state.index = clamp(index, 0, instructions.length - 1);
      state.span = span;
      if (toggle && instructions[state.index].members.length) state.open.has(state.index) ? state.open.delete(state.index) : state.open.add(state.index);
      show();
    },
  };
  machines.push(machine);

  const at = (canvas, event) => clamp(Math.floor(((event.offsetX - GUTTER) / (canvas.clientWidth - GUTTER)) * instructions.length), 0, instructions.length - 1);
  const spanAt = (event) => {
    const i = at(memory, event), address = (1 - event.offsetY / MEMORY) * program.room;
    return program.spans.find(([, first, last, start, size]) => first <= i && i <= last && start <= address && address < start + size);
  };
  const seen = (text) => { under.textContent = text || "\u00a0"; };
  lanes.onclick = (event) => machine.go(at(lanes, event));
  lanes.onpointermove = (event) => seen(rowText(instructions[at(lanes, event)], at(lanes, event)));
  memory.onclick = (event) => { const span = spanAt(event); machine.go(span ? span[1] : at(memory, event), false, span ?? null); };
  memory.onpointermove = (event) => { const span = spanAt(event); seen(span ? spanText(span) : ""); };
  lanes.onpointerleave = memory.onpointerleave = () => seen(rowText(instructions[state.index], state.index));

  function show() {
    for (const picture of [lanes, memory]) {
      picture.setAttribute("aria-valuenow", state.index + 1);
      picture.setAttribute("aria-valuetext", rowText(instructions[state.index], state.index));
    }
    drawLanes(lanes, program, state.index);
    drawMemory(memory, program, state);
    seen(rowText(instructions[state.index], state.index));
    place.textContent = `${state.index + 1} of ${instructions.length}`;
    about.replaceChildren(...aboutInstruction(program, state.index));
    list.show();
  }
  return show;
}

function kindsOf(program) {
  return Object.keys(WORK).filter((kind) => countOf(program, kind));
}

function countOf({ instructions }, kind) {
  return instructions.filter((one) => one.kind === kind).length;
}

/** The bytes of its arrays, if each had its own. */
function bytesApart({ passes }) {
  return passes.at(-1).bytes;
}

/** What the program comes to, in two sentences. */
function tally(program) {
  const { instructions, operations, room, states } = program, flops = instructions.reduce((sum, one) => sum + one.flops, 0);
  const products = flops ? `, and ${inWords(flops)} multiplications and additions of products` : "";
  return `${whole(instructions.length)} instructions do ${whole(operations)} operations${products}. Their arrays, ${sized(bytesApart(program))} in all, share ${sized(room)} of memory; weights and the rest of what outlives a step have ${sized(states)} of their own.`;
}

/** An instruction in a line: "12 loop: add, multiply, maximum". */
function rowText(instruction, i) {
  return `${i + 1} · ${instruction.made.map(([name]) => name).join(", ")} = ${shortCall(instruction)}`;
}

/** What an instruction does; of a loop, the ops of its members. */
function shortCall({ call, members }) {
  if (!members.length) return call;
  const ops = members.map(([, , text]) => text.slice(0, text.indexOf("(")));
  return ops.length > 9 ? `${ops.slice(0, 8).join(", ")} and ${ops.length - 8} more` : ops.join(", ");
}

function spanText([name, first, last, start, size]) {
  return `${name} · ${sized(size)} from byte ${whole(start)} on · instructions ${first + 1} to ${last + 1}`;
}

// The two pictures

/** A canvas as wide as its place, cleared; returns its context and width. */
function cleared(canvas, height) {
  const width = canvas.clientWidth, density = devicePixelRatio || 1, context = canvas.getContext("2d");
  canvas.width = width * density;
  canvas.height = height * density;
  canvas.style.height = `${height}px`;
  context.scale(density, density);
  context.font = FONT;
  return { context, width, x: (i, n) => GUTTER + (i / n) * (width - GUTTER) };
}

/** A lane for each kind of instruction, a block for each instruction; above them the steps. */
function drawLanes(canvas, program, index) {
  const kinds = kindsOf(program), n = program.instructions.length, top = 18;
  const { context, width, x } = cleared(canvas, top + LANE * kinds.length + 4);
  drawSteps(context, program, (i) => x(i, n), top + LANE * kinds.length);
  kinds.forEach((kind, lane) => {
    const y = top + lane * LANE;
    context.fillStyle = styled("--ink");
    context.fillText(kind, 0, y + 12);
    context.fillStyle = styled("--quiet");
    context.textAlign = "right";
    context.fillText(String(countOf(program, kind)), GUTTER - 8, y + 12);
    context.textAlign = "left";
    context.fillStyle = styled("--line");
    context.fillRect(GUTTER, y + LANE - 2, width - GUTTER, 0.5);
    context.fillStyle = styled(WORK[kind][0]);
    program.instructions.forEach((one, i) => {
      if (one.kind === kind) context.fillRect(x(i, n), y + 1, Math.max(1, x(1, n) - x(0, n) - (n < 300 ? 0.7 : 0)), LANE - 4);
    });
  });
  drawCursor(context, x(index, n), x(index + 1, n), top - 2, top + LANE * kinds.length);
}

/** Where each step begins, with its name if there is room. */
function drawSteps(context, { sections, instructions }, x, height) {
  const starts = sections.filter(({ step }, i) => i === 0 || step !== sections[i - 1].step);
  context.fillStyle = styled("--quiet");
  starts.forEach(({ first, step, name }, i) => {
    const end = starts[i + 1]?.first ?? instructions.length, text = step >= 0 ? `step ${name}` : "";
    context.fillRect(x(first), 0, 1, height);
    const fits = [text, name].find((one) => context.measureText(one).width < x(end) - x(first) - 6);
    if (fits) context.fillText(fits, x(first) + 5, 11);
  });
}

function drawCursor(context, left, right, top, bottom) {
  const middle = (left + right) / 2, width = Math.max(4, right - left);
  context.strokeStyle = styled("--ink");
  context.lineWidth = 2;
  context.strokeRect(middle - width / 2, top, width, bottom - top);
}

/** A rectangle for each array: from the instruction that makes it to the last that reads it, at its addresses. */
function drawMemory(canvas, program, { index, span }) {
  const { spans, room, instructions } = program, n = instructions.length;
  const { context, width, x } = cleared(canvas, MEMORY), y = (address) => MEMORY - (address / (room || 1)) * (MEMORY - 1);
  const names = { made: new Set(instructions[index].made.map(([name]) => name)), read: new Set(instructions[index].operands.map(([name]) => name)) };
  context.fillStyle = styled("--ink");
  context.fillText("memory", 0, MEMORY - 4);
  context.fillStyle = styled("--quiet");
  context.fillText(sized(room), 0, 12);
  context.strokeStyle = styled("--line");
  context.strokeRect(GUTTER + 0.5, 0.5, width - GUTTER - 1, MEMORY - 1);
  const box = ([, first, last, start, size]) => [x(first, n), y(start + size), Math.max(1, x(last + 1, n) - x(first, n)), Math.max(0.5, y(start) - y(start + size))];
  for (const one of spans) {
    const [left, top, wide, high] = box(one);
    context.fillStyle = styled(WORK[makerOf(program, one)]?.[0] ?? "--ink");
    context.globalAlpha = names.made.has(one[0]) || names.read.has(one[0]) || one === span ? 1 : 0.55;
    context.fillRect(left, top, Math.max(0.7, wide - 0.7), Math.max(0.5, high - (high > 3 ? 0.7 : 0)));
  }
  context.globalAlpha = 1;
  for (const one of spans.filter(([name]) => names.made.has(name) || names.read.has(name)).concat(span ? [span] : [])) {
    context.strokeStyle = styled("--ink");
    context.lineWidth = 1.5;
    context.setLineDash(names.made.has(one[0]) || one === span ? [] : [3, 2]);
    context.strokeRect(...box(one));
  }
  context.setLineDash([]);
  drawCursor(context, x(index, n), x(index + 1, n), 1, MEMORY - 1);
}

/** The kind of the instruction that makes an array; undefined for the batch. */
function makerOf({ instructions }, [name, first]) {
  const maker = instructions[first];
  return maker.made.some(([made]) => made === name) ? maker.kind : undefined;
}

// The list and the panel

/** All instructions as rows, under the steps and the lines of code that they come from. */
function programList(program, state, onclick) {
  const rows = [], element = h("div", { class: "instructions", role: "group", "aria-label": "the instructions in order" });
  program.sections.forEach(({ first, step, name, line }, k) => {
    const before = program.sections[k - 1], end = program.sections[k + 1]?.first ?? program.instructions.length;
    if (!before || before.step !== step) element.append(h("h3", {}, step >= 0 ? `step ${name}` : "beside the steps"));
    if (line != null) element.append(h("p", { class: "small code" }, program.lines[line][2], h("span", { class: "quiet" }, ` ${program.lines[line][0]}`)));
    for (let i = first; i < end; i++) {
      const one = program.instructions[i], members = h("div", { class: "members" });
      const button = h("button", { type: "button", tabindex: -1, "data-index": i, onclick: () => onclick(i) },
        h("span", { class: "quiet" }, String(i + 1)), h("i", { style: `background: var(${WORK[one.kind][0]})` }),
        h("span", {}, shortCall(one)), h("span", { class: "quiet" }, one.members.length ? `${one.members.length} in one` : one.made[0][1]));
      const row = h("div", {}, button, members);
      rows.push({ row, button, members });
      element.append(row);
    }
  });
  let last = 0;
  const open = new Set();
  const fold = (i) => {
    const { button, members } = rows[i], one = program.instructions[i], shown = state.open.has(i);
    if (one.members.length) button.setAttribute("aria-expanded", String(shown));
    members.replaceChildren(...(shown ? one.members.map(memberRow) : []));
    shown ? open.add(i) : open.delete(i);
  };
  program.instructions.forEach((one, i) => { if (one.members.length) rows[i].button.setAttribute("aria-expanded", "false"); });
  return {
    element,
    show() {
      for (const i of new Set([...open, ...state.open])) if (open.has(i) !== state.open.has(i)) fold(i);
      const focused = rows[last].button === document.activeElement;
      rows[last].button.removeAttribute("aria-current");
      rows[last].button.tabIndex = -1;
      last = state.index;
      const { row, button } = rows[last];
      button.setAttribute("aria-current", "true");
      button.tabIndex = 0;
      if (focused) button.focus({ preventScroll: true });
      const top = row.offsetTop; // in the list, which is positioned
      if (top < element.scrollTop + 20) element.scrollTop = top - 60;
      else if (top + row.offsetHeight > element.scrollTop + element.clientHeight) element.scrollTop = Math.min(top - 60, top + row.offsetHeight - element.clientHeight + 20);
    },
  };
}

function memberRow([name, kind, call, kept]) {
  return h("p", { class: kept ? "kept" : "" }, `${name} = ${call} `, h("span", { class: "quiet" }, `${kind}${kept ? " → memory" : ""}`));
}

/** The text of the panel on an instruction. */
function aboutInstruction(program, index) {
  const one = program.instructions[index], table = (title, pairs) => (pairs.length ? [h("h4", {}, title), h("table", {}, pairs.map(([name, kind]) => h("tr", {}, h("td", { class: "number" }, name), h("td", { class: "number" }, kind))))] : []);
  const lies = program.spans.filter(([name, first]) => first === index && one.made.some(([made]) => made === name));
  const elsewhere = one.made.filter(([name, kind]) => kind !== "number" && !lies.some(([other]) => other === name));
  return [
    h("h3", {}, `${index + 1}. ${WORK[one.kind][1]}${one.kind === "product" && one.members.length ? ", block by block into the loop that reads it" : ""}`),
    h("p", { class: "code" }, one.members.length ? `${one.members.length} operations in one pass` : one.call),
    one.flops ? h("p", { class: "small" }, `${inWords(one.flops)} multiplications and additions.`) : null,
    h("p", { class: "small" }, `It reads ${sized(one.read)} and writes ${sized(one.written)}.`),
    ...table("Reads", one.operands),
    ...table("Makes", one.made),
    lies.length ? h("h4", {}, "Where it lies in memory") : null,
    ...lies.map((span) => h("p", { class: "small number" }, spanText(span))),
    elsewhere.length ? h("p", { class: "small" }, `Written over what it replaces: ${elsewhere.map(([name]) => name).join(", ")}.`) : null,
    one.lines.length ? h("h4", {}, "The line of code") : null,
    one.lines.length ? h("pre", {}, [...one.lines].reverse().map((i) => `${program.lines[i][0]} in ${program.lines[i][1]}\n    ${program.lines[i][2]}`).join("\n")) : null,
  ].filter(Boolean);
}

// What the passes and the plan bring

const PASS = {
  traced: "as it was traced", calls_first: "Python's calls first", simplify: "simplified", merge_equal: "equal ones merged", drop_unused: "unused ones dropped",
  split_sums: "sums taken apart", fuse: "loops fused", update_at_once: "products into updates", compute_large_again: "large ones computed again",
};

function passTable({ passes }) {
  const most = greatest(passes, (pass) => pass.instructions);
  return h("section", { class: "passes" },
    h("h3", {}, "What each pass leaves"),
    scrolling("what each pass leaves", h("table", {},
      h("tr", {}, h("th", {}, "pass"), h("th", {}, "instructions"), h("td", { class: "wide" }), h("th", {}, "views")),
      passes.map((pass) => h("tr", {},
        h("td", { title: pass.about }, PASS[pass.name] ?? pass.name), h("td", { class: "number count" }, whole(pass.instructions)),
        h("td", { class: "wide" }, h("div", { class: "bar" }, h("i", { style: `width: ${(100 * pass.instructions) / most}%` }))),
        h("td", { class: "number" }, whole(pass.views)))))),
    h("p", { class: "quiet small" }, "A view is another shape of the same memory, and costs nothing. Where a pass turns a view of constants into an array of constants, it counts as an instruction from there on."));
}

function memoryBars(program) {
  const { passes, room } = program;
  const rows = [["each operation's result by itself", passes[0].bytes], ["after fusion, each array by itself", bytesApart(program)], ["as planned: arrays share memory", room]];
  return h("section", { class: "passes" },
    h("h3", {}, "Memory"),
    scrolling("memory", h("table", {}, rows.map(([text, bytes]) => h("tr", {},
      h("td", {}, text), h("td", { class: "number" }, sized(bytes)),
      h("td", { class: "wide" }, h("div", { class: "bar" }, h("i", { style: `width: ${(100 * bytes) / greatest(rows, ([, one]) => one)}%` }))))))));
}
