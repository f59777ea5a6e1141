// Draws each chart of the page into the element with its name.
for (const [name, chart] of Object.entries(given)) {
  drawIn(
    document.getElementById(name),
    chart,
    "This chart could not be drawn. The table below shows the same figures.",
  );
}
