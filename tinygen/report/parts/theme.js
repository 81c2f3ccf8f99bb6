// Colours: those of the style sheet, and the scales for numbers. Colour-blind people can tell all of them apart.

const SERIES = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c6)", "var(--c5)"]; // after Okabe and Ito 2002
const DASHES = ["", "7 4", "2 3", "10 3 2 3", "5 2", "1 3"]; // so that lines differ without their colour, too
const MORE = [213, 94, 0], LESS = [0, 114, 178]; // vermillion: raise this pixel; blue: lower it
const RAMP = [[12, 20, 54], [0, 86, 148], [42, 150, 176], [150, 205, 150], [250, 240, 110]]; // ever lighter

/** The colour [r, g, b] of a share from 0 to 1, dark to light. */
function ramp(share) {
  const place = clamp(share, 0, 1) * (RAMP.length - 1), i = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[i].map((low, channel) => Math.round(low + (place - i) * (RAMP[i + 1][channel] - low)));
}

/** A colour of the style sheet as text that a canvas takes. */
function styled(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function startTheme() {
  let saved = null;
  try { saved = localStorage.getItem("tinygen-theme"); } catch { /* a page from disk may have no storage */ }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = (theme) => { document.documentElement.dataset.theme = theme; };
  apply(saved ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => { apply(dark.matches ? "dark" : "light"); repaint(); });
}

function themeSwitch() {
  return h("button", {
    type: "button", id: "theme", title: "light or dark", "aria-label": "light or dark",
    onclick: () => {
      const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = theme;
      try { localStorage.setItem("tinygen-theme", theme); } catch { /* as above */ }
      repaint();
    },
  }, "◐", h("span", {}, " light / dark"));
}
