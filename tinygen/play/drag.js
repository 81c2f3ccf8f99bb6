// Data by hand: drag a real point and all those around its centre come along; in "your own", click to add a centre.

const GRIP = 24; // pixels: how near to a point it can be taken hold of

const HOW_TO = {
  moved: "Drag the green points: training goes on with them. Keys: Page Up and Page Down choose a centre, the arrows move it.",
  own: "Click to add points and drag them as you like. Keys: Page Up and Page Down choose a centre, the arrows move it, Enter adds one, Delete removes it.",
};

/** Let the reader change a lab's data on the canvas. at(): the lab; onchange(text): they have changed, and how. */
function makeDraggable(canvas, at, onchange) {
  const hand = { held: null, chosen: null, moved: false };
  const scale = () => (2 * REACH) / canvas.clientWidth;
  const placeOf = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [(clientX - box.left) * scale() - REACH, REACH - (clientY - box.top) * scale()];
  };
  const isOwn = () => at().settings.data === "own";

  canvas.addEventListener("pointerdown", (event) => {
    hand.last = placeOf(event);
    hand.held = nearestCentre(at(), hand.last, GRIP * scale());
    hand.moved = false;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    if (!event.buttons) canvas.style.cursor = nearestCentre(at(), place, GRIP * scale()) ? "grab" : isOwn() ? "copy" : "default";
    else if (hand.held) {
      move(hand.held, place[0] - hand.last[0], place[1] - hand.last[1]);
      hand.moved = true;
      hand.last = place;
      onchange();
    }
  });
  canvas.addEventListener("pointerup", () => {
    if (!hand.held && isOwn()) add(hand.last);
    else if (hand.moved) onchange(`the data have changed`);
    hand.held = null;
  });
  canvas.addEventListener("pointercancel", () => { hand.held = null; });
  canvas.addEventListener("touchstart", (event) => { // a finger on a point drags it; elsewhere it scrolls the page
    if (nearestCentre(at(), placeOf(event.touches[0]), GRIP * scale())) event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("blur", () => { hand.chosen = null; onchange(); });
  canvas.addEventListener("keydown", (event) => {
    if (byKey(event.key)) event.preventDefault();
  });

  function byKey(key) {
    const { centres } = at(), n = centres.length, arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    if (key === "Enter" && isOwn()) add([0, 0]);
    else if (!n) return false;
    else if (key === "PageDown" || key === "PageUp") choose(hand.chosen === null ? 0 : (hand.chosen + (key === "PageDown" ? 1 : n - 1)) % n);
    else if (arrow) {
      hand.chosen ??= 0;
      move(centres[hand.chosen], 0.05 * arrow[0], 0.05 * arrow[1]);
      onchange(spoken());
    } else if ((key === "Delete" || key === "Backspace") && isOwn() && hand.chosen !== null) {
      centres.splice(hand.chosen, 1);
      hand.chosen = null;
      onchange(`removed; ${centres.length} left`);
    } else return false;
    return true;
  }

  function add([x, y]) {
    const { centres } = at();
    centres.push({ x, y, spread: OWN_SPREAD });
    choose(centres.length - 1);
  }

  function choose(i) {
    hand.chosen = i;
    onchange(spoken());
  }

  function spoken() {
    const { centres } = at(), { x, y } = centres[hand.chosen];
    return `centre ${hand.chosen + 1} of ${centres.length}, at ${x.toFixed(2)}, ${y.toFixed(2)}`;
  }
  return hand;
}

function move(centre, dx, dy) {
  centre.x = clamp(centre.x + dx, -REACH, REACH);
  centre.y = clamp(centre.y + dy, -REACH, REACH);
}

/** The centre of the real point, or the centre itself, that is nearest to a place and within reach of it. */
function nearestCentre(lab, [x, y], reach) {
  const { centres } = lab, found = { centre: null, distance: reach };
  const consider = (px, py, centre) => {
    const distance = Math.hypot(px - x, py - y);
    if (distance < found.distance) Object.assign(found, { centre, distance });
  };
  pairs(lab.real()).forEach(([px, py], i) => consider(px, py, centres[i % centres.length]));
  centres.forEach((centre) => consider(centre.x, centre.y, centre));
  return found.centre;
}
