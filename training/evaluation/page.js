// Draws each chart of the page into the element with its name.
for (const [name, chart] of Object.entries(given.figures)) {
  drawIn(document.getElementById(name), chart, given.words.not_drawn);
}
