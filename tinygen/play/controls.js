// The controls: what is played, how fast, and with which settings. Each is a plain button, select or number.

const RATES = [1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 3e-2], STEPS = [1, 2, 3, 5, 10], LATENTS = [1, 2, 4, 8, 16];
const WIDTHS = ["8", "16", "16, 16", "32, 32", "64, 64", "32, 32, 32"];

function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** A labelled select: options are { value: text }. onchange gets the value, a string. */
function selection(label, id, options, chosen, onchange) {
  const select = h("select", { id, onchange: () => onchange(select.value) },
    Object.entries(options).map(([value, text]) => h("option", { value, selected: value === String(chosen) }, text)));
  return h("label", { class: "setting" }, h("span", {}, label), select);
}

const asOptions = (values) => Object.fromEntries(values.map((value) => [value, String(value)]));
const asRates = () => Object.fromEntries(RATES.map((rate) => [rate, short(rate)]));

/** The losses that this page can play, by their titles in tinygen. */
function lossTitles(losses) {
  const names = Object.keys(GAMES).filter((name) => name in losses);
  return Object.fromEntries(names.map((name) => [name, losses[name].title]));
}

/** settings as they are; restart(change): start again with a change; change(one): change it while it runs. */
function settingsPanel(settings, restart, change) {
  const widths = (key) => (text) => restart({ [key]: text.split(", ").map(Number) });
  const number = (key, act) => (text) => act({ [key]: Number(text) });
  const seed = h("input", { type: "number", id: "seed", min: 0, max: 999999, value: settings.seed, onchange: () => {
    seed.value = clamp(Math.floor(Number(seed.value)) || 0, 0, 999999);
    restart({ seed: Number(seed.value) });
  } });
  return [
    h("fieldset", {}, h("legend", {}, "At once"),
      selection("D's learning rate", "rateD", asRates(), settings.rateD, number("rateD", change)),
      selection("G's learning rate", "rateG", asRates(), settings.rateG, number("rateG", change)),
      selection("D's steps for one of G", "stepsD", asOptions(STEPS), settings.stepsD, number("stepsD", change))),
    h("fieldset", {}, h("legend", {}, "Starts again"),
      selection("numbers in z", "latent", asOptions(LATENTS), settings.latent, number("latent", restart)),
      selection("G's hidden layers", "widthsG", asOptions(WIDTHS), settings.widthsG.join(", "), widths("widthsG")),
      selection("D's hidden layers", "widthsD", asOptions(WIDTHS), settings.widthsD.join(", "), widths("widthsD")),
      h("label", { class: "setting" }, h("span", {}, "seed"), seed)),
  ];
}
