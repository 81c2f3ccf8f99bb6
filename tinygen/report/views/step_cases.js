// Who gets a gradient in a step: as it should be, and with each of the usual mistakes.

/** Whether the gradient of a step ends before it reaches the other networks: none of them comes after one that learns. */
function isCutOff({ shielded, cases, graph }) {
  const learns = Object.keys(cases[0].received).filter((name) => !shielded.includes(name));
  return shielded.length > 0 && !graph.nodes.some((node) => shielded.includes(node.network) && learns.some((name) => node.sources.includes(name)));
}

/** What keeps the gradient of a step from the other networks. */
function guardOf(step) {
  return step.shielded.length === 1 && isCutOff(step) ? "no_grad / detach" : step.shielded.map((other) => `frozen(${other})`).join(", ");
}

/** Whether an op is off the tape, or a parameter gets no gradient, because only shielded networks lead to it. */
function offTape(node, { step, careful }) {
  return careful && node.sources.length > 0 && node.sources.every((one) => step.shielded.includes(one));
}

/** The gradient that each network gets in each case, and the mistake in it. */
function received({ run, step, careful, clear }) {
  const networks = Object.keys(step.cases[0].received), now = step.cases.find((one) => one.careful === careful && one.clear === clear);
  const caseName = (one) => [one.careful ? null : `without ${guardOf(step)}`, one.clear ? null : "not cleared"].filter(Boolean).join(", ") || "as it should be";
  return [
    h("h3", {}, "Who gets a gradient"),
    h("p", { class: "quiet small" }, "The length of all of a network's gradients together after ", h("code", {}, "loss.backward()"), ", as measured on this checkpoint."),
    h("table", { class: "received" },
      h("tr", {}, h("td"), networks.map((name) => h("th", {}, name))),
      step.cases.map((one) => h("tr", { class: one === now ? "now" : "" }, h("td", {}, caseName(one)), networks.map((name) =>
        h("td", { class: "number", "data-network": name }, one.received[name] === null ? "nothing" : short(one.received[name], 4)))))),
    h("p", { class: "verdict" }, verdict(run, step, now)),
  ];
}

/** The mistake of a case in plain words. */
function verdict(run, step, now) {
  const reached = now.careful ? [] : step.shielded.filter((name) => now.received[name] !== null);
  const parts = reached.map((other) => (now.clear ? wasteful(step, other) : mixedUp(run, step, now, other)));
  if (!now.clear) parts.push(`Mistake: the gradients of the last backward were not cleared. backward() adds to what is there, so ${step.name === "loss" ? "" : `${step.name}'s `}gradient came out twice as long (here it is the same one twice; left over from another batch, it would point elsewhere): call zero_grad() before it, or take grad(loss, parameters), which keeps nothing.`);
  if (parts.length) return parts.join(" ");
  const others = step.shielded.join(" and ");
  if (!others) return "Right: one loss, and each network gets its gradient once.";
  if (isCutOff(step)) return `Right: the generated examples are constants for ${step.name}'s step, so ${step.name} learns and nothing is left in ${others}.`;
  if (step.shielded.length === 1) return `Right: ${others} passes the gradient on to ${step.name} and keeps none.`;
  return `Right: the gradient runs through ${others} where they are on its way, and stays in ${step.name} alone.`;
}

/** A network was not kept out, but its gradients are cleared before its own step. */
function wasteful(step, other) {
  const { received } = step.cases.find((one) => !one.careful && one.clear);
  return `Wasteful, but not wrong: ${other} was not kept out, so ${step.name}'s loss also computed a gradient of length ${short(received[other])} for ${other}. As long as ${other}'s gradients are cleared before its own step, it is thrown away, and only the time to compute it is lost.`;
}

/** A network was not kept out, and what it got is added to the gradient of its own loss. */
function mixedUp(run, step, { received, along }, other) {
  const stray = step.cases.find((one) => !one.careful && one.clear).received[other];
  const way = along[other];
  const opposed = `It points against what ${other}'s own loss asks for by way of the same scores (cosine ${short(way)}): ${opposites(run, step, other)}`;
  const agreed = `It happens to point the way that ${other}'s own loss asks for by way of the same scores (cosine ${short(way)}): at these scores both losses pull in one direction. Then ${other}'s step is only too long; at other scores they pull apart.`;
  const apart = `It has little to do with what ${other}'s own loss asks for by way of the same scores (cosine ${short(way)}).`;
  const direction = way === null ? `It belongs to a loss that is not ${other}'s.` : way < -0.1 ? opposed : way > 0.1 ? agreed : apart;
  return `Mistake: ${other} was not kept out and its gradients were not cleared, so the gradient of length ${short(stray)} that ${step.name}'s loss left is added to that of ${other}'s own loss, which gives ${short(received[other])}. ${direction}`;
}

/** Why the losses of two players pull one network in opposite directions. */
function opposites(run, step, other) {
  const [judge, maker] = run.adversarial ? run.way : [];
  if (step.name === judge && other === maker) return `${judge} wants ${maker}'s examples to get low scores, ${maker} wants high ones. A step along it teaches ${maker} to be caught.`;
  if (step.name === maker && other === judge) return `${maker} wants its examples to get high scores, ${judge} wants to give them low ones. A step along it teaches ${judge} to be fooled.`;
  return `a step along it undoes what ${other} learns.`;
}
