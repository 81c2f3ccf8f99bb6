// What a screen reader is told beside what has the focus: once it has come to rest, so that a film isn't read out.

const REST = 400; // milliseconds
let telling = null;

function announce(text) {
  clearTimeout(telling);
  telling = setTimeout(() => { document.getElementById("status").textContent = text; }, REST);
}
