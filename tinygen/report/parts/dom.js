// Making elements, and writing numbers as text.

/** An element: h("button", { class: "play", onclick: go }, "play"). */
function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for a piece of SVG. */
function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

/** A text with the parts between backticks as code. */
function withCode(text) {
  return text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
}

/** A number in at most `digits` significant digits: 0.693, 12.5, 3.1e-7. */
function short(value, digits = 3) {
  if (value == null || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(digits - 1).replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

function whole(value) {
  return value.toLocaleString("en");
}

function percent(share) {
  if (Number.isNaN(share)) return "–";
  const value = 100 * share;
  return value > 0 && value < 0.1 ? "<0.1%" : `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)}%`;
}

/** Buttons, one of them chosen: choice({ norm: "its length" }, "norm", (key) => ...). */
function choice(options, chosen, onchoose, label) {
  const buttons = Object.entries(options).map(([key, text]) => h("button", {
    "data-key": key, "aria-pressed": String(key === chosen), type: "button",
    onclick: () => {
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.key === key));
      onchoose(key);
    },
  }, text));
  return h("div", { class: "row", role: "group", "aria-label": label }, buttons);
}

/** What may be wider than its place: it scrolls by keyboard, too. */
function scrolling(label, ...children) {
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": label }, children);
}

/** How to scroll to what moves: at once for those who asked for less motion. */
function smoothly() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

function mean(values) {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** The greatest of many numbers; Math.max(...values) has room for some ten thousand. */
function greatest(values, of = (value) => value) {
  let most = -Infinity;
  for (const value of values) most = Math.max(most, of(value));
  return most;
}

function norm(values) {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
