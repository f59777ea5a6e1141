// Draws each chart of the page where its place is.
for (const [name, chart] of Object.entries(given)) {
  drawIn(
    document.getElementById(name),
    chart,
    "This chart could not be drawn here; the table below it says the same.",
  );
}
